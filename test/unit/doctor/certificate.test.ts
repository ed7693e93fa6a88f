import { expect } from "chai";
import { chainFinding, expiryFinding, hostFinding, type ShownCertificate } from "../../../src/doctor/certificate.js";

const DAY_MS = 86_400_000;
const NOW = Date.UTC(2026, 0, 1);
const shown = (more: Partial<ShownCertificate> = {}): ShownCertificate => ({
  subject: "CN=db",
  chainProblem: undefined,
  namesHost: true,
  names: "DNS:db",
  validFrom: new Date(NOW - DAY_MS),
  validTo: new Date(NOW + 90 * DAY_MS),
  ...more,
});

describe("what the doctor makes of a certificate", () => {
  const until = (days: number) => expiryFinding(shown({ validTo: new Date(NOW + days * DAY_MS) }), "db:3306", NOW);

  it("warns 30 days before it expires", () => {
    expect(until(90)).to.deep.equal({
      verdict: "ok",
      saw: "db:3306 shows a certificate that is valid until 2026-04-01T00:00:00.000Z",
    });
    expect(until(30).verdict).to.equal("ok");
    expect(until(29.5).verdict).to.equal("warning");
    expect(until(29.5).saw).to.match(/, 29 days from now$/);
    expect(until(0).verdict).to.equal("failed");
    expect(until(-1).saw).to.include("expired on 2025-12-31");
  });

  it("tells one that is not valid yet from one that is no more", () => {
    const early = expiryFinding(shown({ validFrom: new Date(NOW + DAY_MS) }), "db:3306", NOW);
    expect(early.verdict).to.equal("failed");
    expect(early.advice).to.include("clocks");
  });

  it("leaves what has to do with time to that", () => {
    expect(chainFinding(shown({ chainProblem: "CERT_HAS_EXPIRED" }), "db:3306", "CA").verdict).to.equal("ok");
    const unknown = chainFinding(shown({ chainProblem: "SELF_SIGNED_CERT_IN_CHAIN" }), "db:3306", "CA");
    expect(unknown.verdict).to.equal("failed");
    expect(unknown.saw).to.include("CN=db: SELF_SIGNED_CERT_IN_CHAIN");
    expect(unknown.advice).to.include("Set CA to");
  });

  it("names the hosts that it is for", () => {
    expect(hostFinding(shown(), "db:3306", "db", "HOST").verdict).to.equal("ok");
    const other = hostFinding(shown({ namesHost: false }), "10.0.0.1:3306", "10.0.0.1", "HOST");
    expect(other).to.include({ verdict: "failed" });
    expect(other.saw).to.include("10.0.0.1: it is for DNS:db");
  });
});
