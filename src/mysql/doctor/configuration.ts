import { readCredentials } from "../../config/index.js";
import type { CredentialSource } from "../../config/types.js";
import { asWarning, type Check, type Finding } from "../../doctor/check.js";
import { CredentialError } from "../../errors.js";
import type { MysqlPatient } from "./patient.js";

/** What the environment says. */
export const configurationChecks: readonly Check<MysqlPatient>[] = [
  { id: "mysql.configuration", title: "the MYSQL_* variables", run: checkConfiguration },
  {
    id: "mysql.credentials",
    title: "where user and password come from",
    needs: ["mysql.configuration"],
    run: checkCredentials,
  },
];

async function checkConfiguration({ problems, notices }: MysqlPatient): Promise<readonly Finding[]> {
  const failures = problems.map(
    ({ variable, problem }): Finding => ({
      verdict: "failed",
      saw: `${variable} ${problem}`,
      advice: `Correct ${variable}; the README's configuration table says what it takes`,
    }),
  );
  const warnings = notices
    .filter(({ level }) => level === "warn")
    .map(
      ({ variable, message }): Finding => ({
        verdict: "warning",
        saw: `${variable} ${message}`,
        advice: `Correct ${variable}, or take it out of the environment`,
      }),
    );
  const told = [...failures, ...warnings];
  return told.length > 0 ? told : [{ verdict: "ok", saw: "the variables are complete" }];
}

async function checkCredentials({ config }: MysqlPatient): Promise<readonly Finding[]> {
  const { credentials, migrationCredentials } = config;
  // Services do without the user who migrates.
  const ofMigrator = migrationCredentials ? credentialFindings(migrationCredentials) : [];
  return [...credentialFindings(credentials), ...ofMigrator.map(asWarning)];
}

function credentialFindings(source: CredentialSource): Finding[] {
  try {
    const { username = "", password, warnings } = readCredentials(source);
    const from = source.kind === "file" ? `the file that ${source.variable} names` : source.variable;
    const saw = `user ${JSON.stringify(username)} ${password ? "with" : "without"} a password, from ${from}`;
    const exposed = warnings.map(
      ({ variable, message }): Finding => ({
        verdict: "warning",
        saw: `${variable} ${message}`,
        advice: "Run chmod o-r on it",
      }),
    );
    return [{ verdict: "ok", saw }, ...exposed];
  } catch (error) {
    if (!(error instanceof CredentialError)) throw error;
    return [{ verdict: "failed", saw: error.message, advice: `Correct the file, or unset ${error.variable}` }];
  }
}
