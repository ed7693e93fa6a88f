/** Ids compare byte for byte: `P1` and `p1`, `é` and `e` differ. */
export const ID = { type: "varchar", length: 64, charset: "utf8mb4", collation: "utf8mb4_bin" } as const;

export const NAME = { type: "varchar", length: 255, charset: "utf8mb4", collation: "utf8mb4_bin" } as const;
