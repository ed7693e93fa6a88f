import { isIP, type Socket } from "node:net";
import { readAuthority } from "../../config/authorityFile.js";
import {
  chainFinding,
  expiryFinding,
  hostFinding,
  type ShownCertificate,
  shakeHands,
} from "../../doctor/certificate.js";
import { asWarning, type Check, type Finding } from "../../doctor/check.js";
import { checkName, checkTcp, openSocket } from "../../doctor/network.js";
import type { NodeAddress } from "../connection.js";
import type { RedisPatient } from "./patient.js";
import { nameOf } from "./server.js";

const ADDRESSES = "REDIS_CLUSTER_ADDRESSES";
const AUTHORITY = "REDIS_CLUSTER_TLS_CA_FILE";

/** Each address that the configuration names. One that is no use keeps nothing from working while another is some. */
export const networkChecks: readonly Check<RedisPatient>[] = [
  {
    id: "redis.name",
    title: "names of the addresses",
    needs: ["redis.configuration"],
    run: async ({ config, patienceMs }, signal) => {
      const hosts = [...new Set(config.addresses.map(({ host }) => host))];
      return oneIsEnough(await Promise.all(hosts.map((host) => checkName(host, ADDRESSES, { signal, patienceMs }))));
    },
  },
  {
    id: "redis.tcp",
    title: "each address accepts connections",
    needs: ["redis.name"],
    run: async ({ config, patienceMs }, signal) =>
      oneIsEnough(await Promise.all(config.addresses.map((address) => checkTcp(address, { signal, patienceMs })))),
  },
  certificateCheck("redis.tls", "authority of the certificates", "chain"),
  certificateCheck("redis.tls.host", "hosts that the certificates are for", "host"),
  certificateCheck("redis.tls.expiry", "dates of the certificates", "expiry"),
];

function certificateCheck(id: string, title: string, aspect: Aspect): Check<RedisPatient> {
  const needs = ["redis.tcp"];
  const run: Check<RedisPatient>["run"] = async (patient, signal) => {
    const { tls, addresses } = patient.config;
    if (!tls) return { verdict: "skipped", saw: "REDIS_CLUSTER_TLS is off" };
    const found = await Promise.all(addresses.map((address) => lookAt(patient, address, signal)));
    const findings = found.flatMap((certificate) => certificate?.[aspect] ?? []);
    return findings.length > 0 ? findings : { verdict: "skipped", saw: "no address shows a certificate" };
  };
  return { id, title, needs, run };
}

/** A failure is a warning where another address has none: the client goes on with that one. */
function oneIsEnough(findings: readonly Finding[]): readonly Finding[] {
  const works = findings.some(({ verdict }) => verdict === "ok");
  return works ? findings.map(asWarning) : findings;
}

type Aspect = "chain" | "host" | "expiry";
type Judged = Partial<Readonly<Record<Aspect, Finding>>>;

/** What is wrong with the certificate that a server shows. */
export async function certificateFaults(
  patient: RedisPatient,
  address: NodeAddress,
  signal: AbortSignal,
): Promise<readonly Finding[]> {
  const found = Object.values((await lookAt(patient, address, signal)) ?? {});
  return found.filter(({ verdict }) => verdict !== "ok");
}

/** Shakes hands anew each time: it is cheap, and a look of its own has a time of its own. Undefined where nobody listens. */
async function lookAt(
  { config, patienceMs }: RedisPatient,
  address: NodeAddress,
  signal: AbortSignal,
): Promise<Judged | undefined> {
  const { verify = true, caFile } = config.tls ?? {};
  const until = AbortSignal.any([signal, AbortSignal.timeout(patienceMs)]);
  const socket = await connected(address, until).catch(() => undefined);
  if (!socket) return undefined;
  const authority = verify && caFile ? readAuthority(AUTHORITY, caFile) : undefined;
  try {
    const shown = await shakeHands(socket, { host: address.host, authority, signal: until });
    return judge(shown, address, verify);
  } catch (error) {
    const why = until.aborted ? "no answer" : (error as NodeJS.ErrnoException).code;
    const saw = `${nameOf(address)} does not speak TLS (${why ?? "no answer"})`;
    return { chain: { verdict: "failed", saw, advice: "Set REDIS_CLUSTER_TLS=false, or name the server's tls-port" } };
  }
}

/** From here on the signal is the handshake's alone: ended from both sides, it would fail twice, once with nobody listening. */
async function connected(address: NodeAddress, signal: AbortSignal): Promise<Socket> {
  signal.throwIfAborted();
  const connecting = new AbortController();
  const stop = () => connecting.abort(signal.reason);
  signal.addEventListener("abort", stop, { once: true });
  try {
    return await openSocket(address, connecting.signal);
  } finally {
    signal.removeEventListener("abort", stop);
  }
}

/** Where nothing is verified, what is wrong with a certificate keeps nothing from working. */
function judge(shown: ShownCertificate, { host, port }: NodeAddress, verify: boolean): Judged {
  const at = nameOf({ host, port });
  const named = isIP(host) === 0 ? ADDRESSES : `${ADDRESSES} (or the server's cluster-announce-ip and -hostname)`;
  const lenient = (finding: Finding) => (verify ? finding : asWarning(finding));
  return {
    chain: lenient(chainFinding(shown, at, AUTHORITY)),
    host: lenient(hostFinding(shown, at, host, named)),
    expiry: lenient(expiryFinding(shown, at)),
  };
}
