/**
 * Measures side by side with the plain drivers, on servers of its own, and prints ratios measured in one run. What it prints goes to
 * bench/results too, under the engine's name. `npm run bench -- signals` (or another of the names) measures only those.
 */
import { benchRepositories } from "./repositories.js";
import { benchSignals } from "./signals.js";
import { benchTelemetry } from "./telemetry.js";

const BENCHES = { repositories: benchRepositories, signals: benchSignals, telemetry: benchTelemetry };

const [only] = process.argv.slice(2);
for (const [name, bench] of Object.entries(BENCHES)) if (only === undefined || only === name) await bench();
