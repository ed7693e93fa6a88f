import type { Check, Finding } from "../../doctor/check.js";
import { QueryError } from "../../errors.js";
import type { MysqlPatient } from "./patient.js";
import { accountName, grantText } from "./quoting.js";

/** Triggers run as who made them; once that user is gone, each write that fires one is refused (1449). */
export const definerChecks: readonly Check<MysqlPatient>[] = [
  { id: "mysql.triggers.definer", title: "who the triggers run as", needs: ["mysql.schema"], run: checkDefiners },
];

const MAX_DEFINERS = 10;
const DEFINERS = `SELECT DEFINER AS account, MIN(TRIGGER_NAME) AS example, CURRENT_USER() AS self
  FROM information_schema.TRIGGERS WHERE TRIGGER_SCHEMA = DATABASE() AND DEFINER <> '' GROUP BY DEFINER LIMIT ${MAX_DEFINERS}`;

interface Definer {
  readonly account: string;
  readonly example: string;
  readonly self: string;
}

async function checkDefiners(patient: MysqlPatient, signal: AbortSignal): Promise<Finding | readonly Finding[]> {
  const approach = await patient.mostSeeing();
  const definers = await patient.ask<Definer>(signal, DEFINERS, [], approach);
  const others = definers.filter(({ account, self }) => account !== self);
  const gone: Definer[] = [];
  try {
    for (const definer of others) if (!(await exists(patient, signal, definer))) gone.push(definer);
  } catch (error) {
    if (!isDenied(error)) throw error;
    return { verdict: "skipped", saw: "this user may not see which users there are (SELECT on mysql.user)" };
  }
  if (definers.length === 0) return { verdict: "skipped", saw: "this user may not see triggers" };
  if (gone.length > 0) return gone.map((definer) => goneFinding(definer, patient.config.database));
  return { verdict: "ok", saw: definers.map(({ account }) => account).join(", ") };
}

const USER = "SELECT 1 FROM mysql.user WHERE User = ? AND Host = ?";

async function exists(patient: MysqlPatient, signal: AbortSignal, { account }: Definer): Promise<boolean> {
  const split = account.lastIndexOf("@");
  const params = [account.slice(0, split), account.slice(split + 1)];
  return (await patient.ask(signal, USER, params, await patient.mostSeeing())).length > 0;
}

const DENIED = new Set([1044, 1142, 1143]);

function isDenied(error: unknown): boolean {
  return error instanceof QueryError && error.errno !== undefined && DENIED.has(error.errno);
}

function goneFinding({ account, example }: Definer, database: string): Finding {
  const grant = grantText(["SELECT", "INSERT", "UPDATE", "DELETE", "TRIGGER"], database, undefined, account);
  return {
    verdict: "failed",
    saw: `triggers such as ${example} run as ${account}, a user that does not exist: writes that fire them are refused (1449)`,
    advice: `Bring the user back, as whom nobody need log in: CREATE USER ${accountName(account)} ACCOUNT LOCK; ${grant}`,
  };
}
