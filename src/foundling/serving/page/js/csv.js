// Tables as text: read CSV with commas, semicolons or tabs (RFC 4180), write CSV with commas.

/** Rows of cells. The separator is the one that the first line has most of. */
export function parseCsv(text) {
  const separator = separatorOf(text);
  const rows = [];
  let row = [];
  let cell = "";
  let quoted = false;
  const endCell = () => {
    row.push(cell);
    cell = "";
  };
  const endRow = () => {
    endCell();
    if (row.some((value) => value !== "")) rows.push(row);
    row = [];
  };
  for (let i = text.charCodeAt(0) === 0xfeff ? 1 : 0; i < text.length; i++) {
    const c = text[i];
    if (quoted) {
      if (c !== '"') cell += c;
      else if (text[i + 1] === '"') cell += text[++i];
      else quoted = false;
    } else if (c === '"' && cell === "") quoted = true;
    else if (c === separator) endCell();
    else if (c === "\n") endRow();
    else if (c !== "\r") cell += c;
  }
  if (cell !== "" || row.length > 0) endRow();
  return rows;
}

/** CSV text of rows of cells. */
export function writeCsv(rows) {
  const quote = (value) => (/[",\r\n]/.test(value) ? `"${value.replaceAll('"', '""')}"` : value);
  return rows.map((row) => row.map((value) => quote(String(value))).join(",") + "\r\n").join("");
}

/** The column of the texts: one with a usual name, or the one with the longest cells. */
export function textColumn(header, rows) {
  const named = header.findIndex((name) => /^(text|message|sms|body|content|v2)$/i.test(name.trim()));
  if (named >= 0) return named;
  const lengths = header.map((_, i) => rows.reduce((sum, row) => sum + (row[i] ?? "").length, 0));
  return lengths.indexOf(Math.max(...lengths));
}

/** Offer text as a file to save. */
export function download(name, text) {
  const link = document.createElement("a");
  link.href = URL.createObjectURL(new Blob([text], { type: "text/csv;charset=utf-8" }));
  link.download = name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 1000);
}

function separatorOf(text) {
  const line = text.split("\n", 1)[0];
  const count = (separator) => line.split(separator).length;
  return [",", ";", "\t"].reduce((best, one) => (count(one) > count(best) ? one : best), ",");
}
