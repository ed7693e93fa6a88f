import { AdoptionError, type AdoptionProblem, ConfigError } from "../errors.js";

/** An error for people: lists as lists. */
export function failureText(error: unknown): string {
  if (error instanceof AdoptionError)
    return [
      "The database cannot be taken over as it is, and nothing was changed:",
      ...error.problems.flatMap(adoptionLines),
    ].join("\n");
  if (error instanceof ConfigError)
    return ["Configuration is invalid:", ...error.problems.map((p) => `  ${p.variable} ${p.problem}`)].join("\n");
  return error instanceof Error ? error.message : String(error);
}

function adoptionLines({ table, problem, rows = [], count = rows.length, remedies = [] }: AdoptionProblem): string[] {
  const more = count > rows.length ? [`    … ${count} in all`] : [];
  return [
    `  ${table} ${problem}`,
    ...rows.map((row) => `    ${JSON.stringify(row)}`),
    ...more,
    ...(remedies.length > 0 ? ["    what helps, once you have looked at it:"] : []),
    ...remedies.map((remedy) => `      ${remedy}`),
  ];
}
