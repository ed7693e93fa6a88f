import { createRequire } from "node:module";

const name = "doordarshan-data";
const { version } = createRequire(import.meta.url)(`${name}/package.json`) as { readonly version: string };

/** What OpenTelemetry calls an instrumentation scope: whose metrics and spans these are. */
export const SCOPE = { name, version };
