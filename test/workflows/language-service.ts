import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { registerLogger, validate } from '@actions/languageservice';
import { TextDocument } from 'vscode-languageserver-textdocument';

/** It keeps what it has parsed by address, and would answer for the text that it saw there first. */
let documents = 0;

/**
 * What GitHub's own language service finds wrong in a workflow: `file:line: message`. Workflows that it calls are read
 * below the directory `root`, so that what is passed to them is checked too.
 */
export async function lint(file: string, text: string, root: string): Promise<readonly string[]> {
  documents += 1;
  const document = TextDocument.create(`file:///${documents}/.github/workflows/${file}`, 'yaml', 1, text);
  const getFileContent = async ({ path }: { path: string }) => ({
    name: path,
    content: await readFile(join(root, path), 'utf8'),
  });
  const diagnostics = await validate(document, { fileProvider: { getFileContent } });
  return diagnostics.map(({ range, message }) => {
    return `${file}:${range.start.line + 1}: ${typeof message === 'string' ? message : message.value}`;
  });
}

// It logs what it stumbles over, and then finds nothing.
registerLogger({
  error: (message) => {
    throw new Error(message);
  },
  warn: () => undefined,
  info: () => undefined,
  log: () => undefined,
});
