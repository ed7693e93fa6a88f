import { expect } from "chai";
import { replicationSql } from "../../../src/mysql/inspection.js";

describe("the statement that asks for replication", () => {
  // MySQL took the older words away in 8.4, and had not got the newer ones before 8.0.22.
  const words: Readonly<Record<string, string>> = {
    "10.6.18-MariaDB-log": "SHOW ALL REPLICAS STATUS",
    "11.8.2-MariaDB-ubu2404": "SHOW ALL REPLICAS STATUS",
    "8.0.11": "SHOW SLAVE STATUS",
    "8.0.21-commercial": "SHOW SLAVE STATUS",
    "8.0.22": "SHOW REPLICA STATUS",
    "8.0.39-30.1": "SHOW REPLICA STATUS",
    "8.4.5": "SHOW REPLICA STATUS",
    "9.7.4-2": "SHOW REPLICA STATUS",
  };
  for (const [version, statement] of Object.entries(words))
    it(`of ${version} is ${statement}`, () => {
      expect(replicationSql(version)).to.equal(statement);
    });
});
