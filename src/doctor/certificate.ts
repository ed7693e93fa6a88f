import { isIP, type Socket } from "node:net";
import {
  type ConnectionOptions,
  checkServerIdentity,
  connect,
  type DetailedPeerCertificate,
  type TLSSocket,
} from "node:tls";
import type { Finding } from "./check.js";

/** What a server showed in a TLS handshake that accepts anything. */
export interface ShownCertificate {
  /** Of the server's own certificate, such as `CN=db.example`. */
  readonly subject: string;
  /** OpenSSL's code of what is wrong with the chain, such as `CERT_HAS_EXPIRED`; undefined: nothing. */
  readonly chainProblem: string | undefined;
  /** Whether it is for the host that was asked for. */
  readonly namesHost: boolean;
  /** Hosts it is for, as it lists them. */
  readonly names: string;
  /** When the first certificate of the chain ends to be valid. */
  readonly validTo: Date;
  readonly validFrom: Date;
}

export interface HandshakeOptions {
  /** As configured: what the certificate has to name. */
  readonly host: string;
  /** PEM; the system's authorities when undefined. */
  readonly authority: string | undefined;
  readonly signal: AbortSignal;
}

/** Shakes hands on a connected socket, and closes it. @throws what the system or OpenSSL says where no TLS comes about */
export async function shakeHands(socket: Socket, options: HandshakeOptions): Promise<ShownCertificate> {
  const secure = connect({ socket, ...handshake(options) });
  try {
    await secured(secure, options.signal);
    return describe(secure, options.host);
  } finally {
    secure.destroy();
    socket.destroy();
  }
}

/** The chain is judged, but not a reason to give up; the host's name is judged by itself. */
function handshake({ host, authority }: HandshakeOptions): ConnectionOptions {
  return {
    rejectUnauthorized: false,
    checkServerIdentity: () => undefined,
    ...(isIP(host) === 0 && { servername: host }),
    ...(authority !== undefined && { ca: authority }),
  };
}

function secured(socket: TLSSocket, signal: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    const onAbort = () => socket.destroy(signal.reason as Error);
    signal.addEventListener("abort", onAbort, { once: true });
    socket.once("close", () => {
      signal.removeEventListener("abort", onAbort);
      reject(Object.assign(new Error("The server ended the connection"), { code: "ECONNRESET" }));
    });
    // Not once: a destroyed socket may emit a second one, which would end the process.
    socket.on("error", reject);
    socket.once("secureConnect", resolve);
    if (signal.aborted) onAbort();
  });
}

function describe(socket: TLSSocket, host: string): ShownCertificate {
  const certificate = socket.getPeerCertificate(true);
  const chain = chainOf(certificate);
  const dates = (which: "valid_from" | "valid_to") => chain.map((each) => Date.parse(each[which]));
  return {
    subject: Object.entries(certificate.subject ?? {})
      .map(([key, value]) => `${key}=${value}`)
      .join(", "),
    chainProblem: socket.authorized ? undefined : String(socket.authorizationError),
    namesHost: checkServerIdentity(host, certificate) === undefined,
    names: certificate.subjectaltname ?? "no host",
    validFrom: new Date(Math.max(...dates("valid_from"))),
    validTo: new Date(Math.min(...dates("valid_to"))),
  };
}

/** A root is its own issuer. */
function chainOf(certificate: DetailedPeerCertificate): DetailedPeerCertificate[] {
  const chain: DetailedPeerCertificate[] = [];
  for (
    let each: DetailedPeerCertificate | undefined = certificate;
    each && !chain.includes(each);
    each = each.issuerCertificate
  )
    chain.push(each);
  return chain;
}

/** Of what has to do with time, `expiryFinding` tells. */
const OF_TIME = new Set(["CERT_HAS_EXPIRED", "CERT_NOT_YET_VALID"]);

/** @param at which server, for the text @param caVariable where the authority's file is configured */
export function chainFinding({ chainProblem, subject }: ShownCertificate, at: string, caVariable: string): Finding {
  if (chainProblem === undefined || OF_TIME.has(chainProblem))
    return { verdict: "ok", saw: `${at} shows a certificate of a known authority (${subject})` };
  const saw = `${at} shows a certificate that does not lead to a known authority (${subject}: ${chainProblem})`;
  const advice = `Set ${caVariable} to the PEM file of the authority that signed it, and have the server send its whole chain`;
  return { verdict: "failed", saw, advice };
}

/** @param hostVariable where the host is configured */
export function hostFinding(
  { namesHost, names }: ShownCertificate,
  at: string,
  host: string,
  hostVariable: string,
): Finding {
  if (namesHost) return { verdict: "ok", saw: `${at} shows a certificate for ${host}` };
  const saw = `${at} shows a certificate for another host than ${host}: it is for ${names}`;
  return {
    verdict: "failed",
    saw,
    advice: `Name the server in ${hostVariable} as the certificate does, or renew it with ${host}`,
  };
}

const DAY_MS = 86_400_000;
/** A certificate that ends sooner is worth a warning. */
export const EXPIRES_SOON_DAYS = 30;

export function expiryFinding({ validFrom, validTo }: ShownCertificate, at: string, now = Date.now()): Finding {
  const days = (validTo.getTime() - now) / DAY_MS;
  const renew = "Renew the server's certificate and have the server load it";
  if (days <= 0)
    return {
      verdict: "failed",
      saw: `${at} shows a certificate that expired on ${validTo.toISOString()}`,
      advice: renew,
    };
  if (validFrom.getTime() > now)
    return {
      verdict: "failed",
      saw: `${at} shows a certificate that is valid only from ${validFrom.toISOString()}`,
      advice: "Compare the clocks of both machines; if they are right, wait, or have the certificate issued anew",
    };
  const saw = `${at} shows a certificate that is valid until ${validTo.toISOString()}`;
  return days < EXPIRES_SOON_DAYS
    ? { verdict: "warning", saw: `${saw}, ${Math.floor(days)} days from now`, advice: renew }
    : { verdict: "ok", saw };
}
