/**
 * Measures side by side with the plain drivers, on servers of its own, and prints ratios measured in one run. What it prints goes to
 * bench/results too, under the engine's name. `npm run bench -- signals` (or `repositories`) measures only those.
 */
import { benchRepositories } from "./repositories.js";
import { benchSignals } from "./signals.js";

const [only] = process.argv.slice(2);
if (only !== "signals") await benchRepositories();
if (only !== "repositories") await benchSignals();
