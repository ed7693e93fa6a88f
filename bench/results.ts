import { readFile, writeFile } from "node:fs/promises";
import { cpus } from "node:os";

/** When and on what it was measured. */
export function machine(engine: string): string {
  const cores = `${cpus().length} cores (${cpus()[0]?.model.trim()})`;
  return `${new Date().toISOString().slice(0, 10)}, ${engine}, Node.js ${process.versions.node}, ${cores}, loopback.`;
}

/** Puts the section into the file of results, in the place of the one of the same name. */
export async function keep(file: string, title: string, name: string, section: string): Promise<void> {
  const results = new URL(`results/${file}.md`, import.meta.url);
  const known = await readFile(results, "utf8").catch(() => "");
  const others = known.split(/^(?=## )/m).filter((part) => part.startsWith("## ") && !part.startsWith(`## ${name}\n`));
  const head = `# ${title}\n\nWritten by \`npm run bench\`; ratios of one run each.\n`;
  await writeFile(results, [head, ...[...others, section].sort().map((part) => part.trim())].join("\n").concat("\n"));
}
