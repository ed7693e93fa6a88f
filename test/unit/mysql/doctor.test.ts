import { expect } from "chai";
import { accountName, grantText } from "../../../src/mysql/doctor/quoting.js";
import { clockFinding, connectionsFinding, settingFindings, versionFinding } from "../../../src/mysql/doctor/server.js";
import { ServerVariables } from "../../../src/mysql/doctor/variables.js";

describe("what the doctor makes of MySQL's answers", () => {
  const versions: readonly [string, "ok" | "failed"][] = [
    ["8.0.36", "ok"],
    ["9.7.4-2", "ok"],
    ["8.0.mysql_aurora.3.05.2", "ok"],
    ["5.7.44-log", "failed"],
    ["10.6.18-MariaDB", "ok"],
    ["11.4.2-MariaDB-ubu2404", "ok"],
    ["5.5.5-10.11.6-MariaDB-1", "ok"],
    ["10.5.26-MariaDB", "failed"],
    ["", "failed"],
  ];
  for (const [version, verdict] of versions)
    it(`version ${JSON.stringify(version)}: ${verdict}`, () =>
      expect(versionFinding(version).verdict).to.equal(verdict));

  it("a second of skew, beyond what the round trip may hide", () => {
    expect(clockFinding(999, 1).verdict).to.equal("ok");
    expect(clockFinding(-1_400, 500).verdict).to.equal("ok");
    expect(clockFinding(1_002, 1)).to.include({
      verdict: "warning",
      saw: "the server's clock is 1.002 s ahead of this machine's (± 1 ms)",
    });
    expect(clockFinding(-3_600_000, 1).saw).to.include("3600 s behind");
  });

  it("connections: the pool and one for health checks", () => {
    const counts = { all: 151, ofUser: 0, used: 10, maxConnections: 100 };
    expect(connectionsFinding(counts).verdict).to.equal("ok");
    expect(connectionsFinding({ ...counts, all: 101 }).verdict).to.equal("ok");
    expect(connectionsFinding({ ...counts, all: 100 }).verdict).to.equal("warning");
    expect(connectionsFinding({ ...counts, ofUser: 100 }).advice).to.include("MAX_USER_CONNECTIONS");
    expect(connectionsFinding({ ...counts, used: 140 }).advice).to.include("SHOW PROCESSLIST");
  });

  it("settings of either engine", () => {
    const usual = { foreign_key_checks: "ON", log_bin: "ON", binlog_format: "ROW", max_allowed_packet: "16777216" };
    const judge = (more: Record<string, string>) =>
      settingFindings(
        new ServerVariables(
          Object.entries({ ...usual, ...more }).map(([Variable_name, Value]) => ({ Variable_name, Value })),
        ),
      ).map(({ verdict, saw }) => `${verdict} ${saw.split(" ").slice(0, 3).join(" ")}`);
    expect(judge({ transaction_isolation: "REPEATABLE-READ" })).to.deep.equal([]);
    expect(judge({ tx_isolation: "READ-UNCOMMITTED" })).to.deep.equal(["warning transactions are READ-UNCOMMITTED"]);
    expect(judge({ binlog_format: "STATEMENT" })).to.deep.equal(["failed binlog_format is STATEMENT,"]);
    expect(judge({ binlog_format: "STATEMENT", log_bin: "OFF" })).to.deep.equal([]);
    expect(judge({ max_allowed_packet: "1024" })).to.deep.equal(["warning max_allowed_packet is 1024"]);
  });

  it("quotes names in SQL for people", () => {
    expect(accountName("a@b'c@%")).to.equal("'a@b\\'c'@'%'");
    expect(grantText(["SELECT"], "door_1", undefined, "u@%")).to.equal("GRANT SELECT ON `door\\_1`.* TO 'u'@'%'");
    expect(grantText(["SELECT", "INSERT"], "a`b", "t", "u@%")).to.equal(
      "GRANT SELECT, INSERT ON `a``b`.`t` TO 'u'@'%'",
    );
  });
});
