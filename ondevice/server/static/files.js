// Files and folders as they are dropped, and which of them may be worth reading.

const FORMATS = /\.(md|markdown|txt|text|jsonl|ndjson|json|mbox|mbx|zip)$/i;
const MOST = 20_000;

/** Whether a chosen file may be imported; whatever was chosen by itself may, whatever its name. */
export function readable({ name }) {
  const parts = name.split("/");
  return (
    parts.length === 1 ||
    (FORMATS.test(name) && !parts.some((part) => part.startsWith(".") || part === "__MACOSX"))
  );
}

/** Return [{file, name}] of everything that was dropped, folders to their bottom. */
export async function dropped(transfer) {
  const entries = [...transfer.items].map((item) => item.webkitGetAsEntry?.()).filter(Boolean);
  if (!entries.length) return [...transfer.files].map((file) => ({ file, name: file.name }));
  const found = [];
  for (const entry of entries) await walk(entry, "", found);
  return found;
}

async function walk(entry, above, found) {
  const name = above + entry.name;
  if (found.length >= MOST)
    throw new Error(
      `More than ${MOST.toLocaleString("en")} files at once are too many; drop them in parts.`,
    );
  if (entry.isFile) {
    found.push({
      name,
      file: await new Promise((resolve, reject) => {
        entry.file(resolve, reject);
      }),
    });
    return;
  }
  const reader = entry.createReader();
  for (;;) {
    // a folder is read a hundred entries at a time
    const some = await new Promise((resolve, reject) => {
      reader.readEntries(resolve, reject);
    });
    if (!some.length) return;
    for (const one of some) await walk(one, `${name}/`, found);
  }
}
