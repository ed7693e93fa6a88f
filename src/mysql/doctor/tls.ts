import { readAuthority } from "../../config/index.js";
import { chainFinding, expiryFinding, hostFinding, type ShownCertificate } from "../../doctor/certificate.js";
import { asWarning, type Check, type Finding } from "../../doctor/check.js";
import { openSocket, placeText } from "../../doctor/network.js";
import { ConfigError } from "../../errors.js";
import { connectionAdvice } from "../connectionAdvice.js";
import { toDataError } from "../driverErrors.js";
import type { MysqlPatient } from "./patient.js";
import { HOST_VARIABLE } from "./reach.js";
import { shownBy } from "./startTls.js";

const CA_VARIABLE = "MYSQL_TLS_CA_FILE";

/** The certificate, where TLS is configured. */
export const tlsChecks: readonly Check<MysqlPatient>[] = [
  { id: "mysql.tls", title: "the certificate's authority", needs: ["mysql.tcp"], run: checkTls },
  { id: "mysql.tls.host", title: "the certificate's host", needs: ["mysql.tls"], run: checkTlsHost },
  {
    id: "mysql.tls.expiry",
    title: "the certificate's time",
    needs: ["mysql.tls"],
    run: checkTlsExpiry,
  },
];

async function checkTls(patient: MysqlPatient, signal: AbortSignal): Promise<Finding> {
  const { tls } = patient.config;
  if (!tls) return { verdict: "skipped", saw: "MYSQL_TLS is off" };
  try {
    const finding = chainFinding(await certificateOf(patient, signal), at(patient), CA_VARIABLE);
    // With MYSQL_TLS_SKIP_VERIFY nothing keeps from working.
    return tls.verify ? finding : asWarning(finding);
  } catch (error) {
    if (error instanceof ConfigError)
      return { verdict: "failed", saw: error.message, advice: `Correct ${CA_VARIABLE}` };
    const failure = toDataError(error);
    return { verdict: "failed", saw: failure.message, advice: connectionAdvice(failure) };
  }
}

async function checkTlsHost(patient: MysqlPatient, signal: AbortSignal): Promise<Finding> {
  const { address, tls } = patient.config;
  const host = "host" in address ? address.host : "";
  const finding = hostFinding(await certificateOf(patient, signal), at(patient), host, HOST_VARIABLE);
  return tls?.verify ? finding : asWarning(finding);
}

async function checkTlsExpiry(patient: MysqlPatient, signal: AbortSignal): Promise<Finding> {
  const finding = expiryFinding(await certificateOf(patient, signal), at(patient));
  return patient.config.tls?.verify ? finding : asWarning(finding);
}

function certificateOf(patient: MysqlPatient, signal: AbortSignal): Promise<ShownCertificate> {
  const { address, tls } = patient.config;
  return patient.once("certificate", async () => {
    const authority = tls?.caFile === undefined ? undefined : readAuthority(CA_VARIABLE, tls.caFile);
    const host = "host" in address ? address.host : "";
    return shownBy(await openSocket(address, signal), { host, authority, signal });
  });
}

function at({ config }: MysqlPatient): string {
  return placeText(config.address);
}
