import { variables } from "../../src/config/index.js";

/** The README's table of variables, as markdown. */
export function configurationTable(): string {
  const rows = variables.map(({ name, aliases, default: value, effect }) => {
    const names = [name, ...aliases].map((each) => `\`${each}\``).join(" or ");
    return `| ${names} | ${value === undefined ? "" : `\`${value}\``} | ${effect.replaceAll("|", "\\|")} |`;
  });
  return ["| variable | default | effect |", "|---|---|---|", ...rows].join("\n");
}
