import { expect } from "chai";
import { doctorText } from "../../../src/cli/doctorText.js";
import type { CheckReport } from "../../../src/doctor/runner.js";

const reports: readonly CheckReport[] = [
  { id: "mysql.tcp", title: "a connection", store: "mysql", verdict: "ok", saw: "it is there" },
  { id: "mysql.login", title: "logging in", store: "mysql", verdict: "failed", saw: "denied", advice: "Check it" },
  { id: "redis.tcp", title: "a connection", store: "redis", verdict: "ok", saw: "none", fixed: "removed 3" },
  { id: "redis.tls", title: "a certificate", store: "redis", verdict: "skipped", saw: "TLS is off" },
  { id: "redis.host", title: "its host", store: "redis", verdict: "skipped", saw: "needs …", needs: ["redis.tls"] },
  { id: "redis.date", title: "its date", store: "redis", verdict: "skipped", saw: "needs …", needs: ["redis.tls"] },
];

describe("the doctor's report", () => {
  it("groups by store, indents advice and what was mended, and sums up", () => {
    expect(doctorText(reports, false)).to.equal(
      [
        "MySQL",
        "  ✓ a connection (mysql.tcp): it is there",
        "  ✗ logging in (mysql.login): denied",
        "      → Check it",
        "",
        "Redis",
        "  ✓ a connection (redis.tcp): none",
        "      mended: removed 3",
        "  - a certificate (redis.tls): TLS is off",
        "  - not looked at, as each needs one that failed or was skipped: redis.host, redis.date",
        "",
        "1 failed (mysql.login), 0 to be looked at, 2 well, 3 skipped.",
      ].join("\n"),
    );
  });

  it("lets no text of a server drive the terminal", () => {
    const foreign = "\u009b31m\u001b[2J\u202egpj.exe";
    const text = doctorText(
      [{ id: "a", title: "t", store: "redis", verdict: "failed", saw: foreign, advice: foreign, fixed: foreign }],
      false,
    );
    expect(text).not.to.match(/(?!\n)[\p{Cc}\p{Cf}]/u);
    expect(text.split("\\u202egpj.exe")).to.have.length(4);
  });

  it("has no colour but where it is asked for", () => {
    expect(doctorText(reports, false)).not.to.include("\u001b");
    expect(doctorText(reports, true)).to.include("\u001b[31m✗ logging in\u001b[39m (mysql.login)");
  });
});
