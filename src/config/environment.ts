import type { Store } from "../errors.js";
import { nearest } from "./nearest.js";
import type { Report } from "./report.js";
import { type Definition, definitions, type Values, type VariableName, variables } from "./variables.js";

export type Environment = Readonly<Record<string, string | undefined>>;

/** The variables' values, and those the environment sets with the spelling it uses. */
export interface Settings {
  readonly values: Values;
  readonly given: ReadonlyMap<VariableName, string>;
}

/**
 * Reads every variable of `stores`; those of another stand at their defaults, whatever is set. A bad one is reported and
 * stands at its default too, so that the others are looked at.
 */
export function readEnvironment(environment: Environment, stores: readonly Store[], report: Report): Settings {
  const values: Partial<Record<VariableName, unknown>> = {};
  const given = new Map<VariableName, string>();
  for (const { name } of variables) {
    const definition: Definition = definitions[name];
    const isRead = concerns(definition, stores);
    const spelling = isRead ? chooseSpelling(environment, name, definition, report) : undefined;
    values[name] = readValue(environment, spelling, definition, report);
    if (spelling === undefined) continue;
    given.set(name, spelling);
    if (definition.unused) report[definition.unused.level](spelling, `has no effect: ${definition.unused.reason}`);
  }
  reportForeignNames(environment, stores, report);
  return { values: values as Values, given };
}

function concerns({ store }: Pick<Definition, "store">, stores: readonly Store[]): boolean {
  return store === "both" || stores.includes(store);
}

/** The spelling to read, of those that are set; two may be set if they agree. */
function chooseSpelling(
  environment: Environment,
  name: VariableName,
  { aliases = [], kind }: Definition,
  report: Report,
): string | undefined {
  const isSet = (spelling: string) => {
    const text = Object.hasOwn(environment, spelling) ? environment[spelling] : undefined;
    return text !== undefined && !(text === "" && kind.emptyIsUnset);
  };
  const [first, second] = [name, ...aliases].filter(isSet);
  if (first && second && environment[first] !== environment[second])
    report.problem(first, `and ${second} are both set and differ; keep one of them`);
  return first;
}

function readValue(
  environment: Environment,
  spelling: string | undefined,
  { kind, default: standard }: Definition,
  report: Report,
): unknown {
  const read = spelling === undefined ? undefined : kind.schema.safeParse(environment[spelling]);
  if (read?.success) return read.data;
  for (const { message } of read?.error.issues ?? []) report.problem(spelling ?? "", message);
  return standard === undefined ? undefined : kind.schema.parse(standard);
}

const PREFIXES: Readonly<Record<Store, RegExp>> = { mysql: /^MYSQL_/, redis: /^REDIS_(CLUSTER|STREAM)_/ };

function reportForeignNames(environment: Environment, stores: readonly Store[], report: Report): void {
  const known = variables.filter((variable) => concerns(variable, stores));
  const knownNames = known.flatMap(({ name, aliases }) => [name, ...aliases]);
  for (const name of Object.keys(environment)) {
    const bare = name.trim();
    if (!stores.some((store) => PREFIXES[store].test(bare)) && !knownNames.includes(bare)) continue;
    if (bare !== name) report.problem(bare, "has a byte order mark or white space in its name");
    else if (!knownNames.includes(name))
      report.warn(name, `is not a variable of this package${suggestion(name, knownNames)}`);
  }
}

function suggestion(name: string, knownNames: readonly string[]): string {
  const known = nearest(name, knownNames);
  return known ? `; did you mean ${known}?` : "";
}
