import type { MysqlPatient } from "./patient.js";

/** The server's settings that checks look at; of those that only some servers have, the value may be missing. */
const NAMES = [
  "binlog_format",
  "foreign_key_checks",
  "innodb_force_recovery",
  "innodb_read_only",
  "log_bin",
  "log_bin_trust_function_creators",
  "max_allowed_packet",
  "max_connections",
  "offline_mode",
  "read_only",
  "super_read_only",
  "system_time_zone",
  "time_zone",
  "transaction_isolation",
  "transaction_read_only",
  "tx_isolation",
  "tx_read_only",
  "version",
  "wait_timeout",
] as const;
const VARIABLES = "SHOW GLOBAL VARIABLES WHERE Variable_name IN (?)";

export class ServerVariables {
  readonly #values: ReadonlyMap<string, string>;

  constructor(rows: readonly { readonly Variable_name: string; readonly Value: string }[]) {
    this.#values = new Map(rows.map(({ Variable_name, Value }) => [Variable_name, Value]));
  }

  get(...names: readonly (typeof NAMES)[number][]): string | undefined {
    return names.map((name) => this.#values.get(name)).find((value) => value !== undefined);
  }

  number(name: (typeof NAMES)[number]): number {
    return Number(this.get(name));
  }

  isOn(...names: readonly (typeof NAMES)[number][]): boolean {
    const value = this.get(...names);
    return value !== undefined && !["OFF", "0", ""].includes(value.toUpperCase());
  }
}

/** Read once. */
export function serverVariables(patient: MysqlPatient, signal: AbortSignal): Promise<ServerVariables> {
  return patient.once(
    "variables",
    async () => new ServerVariables(await patient.ask(signal, VARIABLES, [[...NAMES]], "login")),
  );
}
