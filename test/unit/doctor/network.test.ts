import { expect } from "chai";
import { checkName } from "../../../src/doctor/network.js";

describe("the doctor's look at a name", () => {
  it("tells that the name server is silent, and does not wait for it longer than told", async () => {
    const patience = { signal: new AbortController().signal, patienceMs: 20 };
    const silent = (() => new Promise(() => undefined)) as unknown as Parameters<typeof checkName>[3];
    const finding = await checkName("db.example", "MYSQL_ENDPOINT", patience, silent);
    expect(finding).to.include({ verdict: "failed", saw: "db.example cannot be resolved (no answer)" });
    expect(finding.advice).to.match(/name server .*MYSQL_ENDPOINT/);
  });
});
