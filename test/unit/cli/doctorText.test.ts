import { expect } from "chai";
import { doctorText } from "../../../src/cli/doctorText.js";
import type { CheckReport } from "../../../src/doctor/runner.js";

const reports: readonly CheckReport[] = [
  { id: "mysql.tcp", title: "a connection", store: "mysql", verdict: "ok", saw: "it is there" },
  { id: "mysql.login", title: "logging in", store: "mysql", verdict: "failed", saw: "denied", advice: "Check it" },
  { id: "redis.tcp", title: "a connection", store: "redis", verdict: "ok", saw: "none", fixed: "removed 3" },
  { id: "redis.ping", title: "an answer", store: "redis", verdict: "skipped", saw: "needs redis.tcp" },
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
        "  - an answer (redis.ping): needs redis.tcp",
        "",
        "1 failed, 0 to be looked at, 2 well, 1 skipped.",
      ].join("\n"),
    );
  });

  it("has no colour but where it is asked for", () => {
    expect(doctorText(reports, false)).not.to.include("\u001b");
  });
});
