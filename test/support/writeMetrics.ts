import { readFileSync, writeFileSync } from "node:fs";
import { withTable } from "./metricsTable.js";

const page = new URL("../../docs/metrics.md", import.meta.url);
writeFileSync(page, withTable(readFileSync(page, "utf8")));
