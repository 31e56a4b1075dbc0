/** Changes bodies of forms (RFC 7578): boundaries, headers of parts, and what is in them. */
import { PIXEL } from "../corpus/bodies.ts";
import type { Random } from "../random.ts";
import { mutateBytes } from "./bytes.ts";
import { mutateText, oddText } from "./text.ts";

export interface FormInput {
  contentType: string;
  body: Buffer;
}

interface Part {
  headers: string[];
  content: Buffer;
}

const field = (name: string, value: string): Part => ({
  headers: [`Content-Disposition: form-data; name="${name}"`],
  content: Buffer.from(value),
});
const file = (name: string): Part => ({
  headers: [`Content-Disposition: form-data; name="${name}"; filename="bird.png"`, "Content-Type: image/png"],
  content: Buffer.from(PIXEL, "base64"),
});

export const FORMS: readonly (readonly Part[])[] = [
  [field("prompt", "a red hat"), field("n", "2"), field("size", "1024x1024"), file("image")],
  [file("image[]"), field("prompt", "night"), field("response_format", "b64_json"), field("stream", "false")],
  [field("prompt", "h\u00fctte"), field("image", `data:image/png;base64,${PIXEL}`), field("seed", "1e3")],
];

const HEADERS: readonly string[] = [
  "Content-Disposition: form-data",
  'content-disposition: form-data; name="__proto__"',
  'Content-Disposition: form-data; name="prompt"; name="image"',
  "Content-Disposition: form-data; name*=UTF-8''pr%6fmpt",
  "Content-Disposition: attachment; filename*=utf-8''%ff%fe; name=prompt",
  'Content-Disposition: form-data; name="a\\"b"; filename=""',
  "Content-Transfer-Encoding: base64",
  "Content-Transfer-Encoding: quoted-printable",
  "Content-Type: text/plain; charset=utf-16le",
  "Content-Type: multipart/mixed; boundary=inner",
  "Content-Type: application/octet-stream",
  ": nothing",
  "no colon at all",
];

/** One of the corpus, changed in its parts, its boundary and at last its bytes. */
export function formOf(corpus: readonly (readonly Part[])[], random: Random): FormInput {
  const parts = random.pick(corpus).map(({ headers, content }) => ({ headers: [...headers], content }));
  for (let times = random.few(4); times > 0; times -= 1) mutatePart(parts, random);
  const boundary = random.chance(0.9) ? "----a1b2c3" : mutateText("----a1b2c3", random);
  const inBody = random.chance(0.95) ? boundary : mutateText(boundary, random);
  const line = random.chance(0.97) ? "\r\n" : random.pick(["\n", "\r", "\r\n\r\n", ""]);
  const written = parts.flatMap(({ headers, content }) => [
    Buffer.from(`--${inBody}${line}${headers.map((header) => header + line).join("")}${line}`),
    content,
    Buffer.from(line),
  ]);
  const end = random.chance(0.95)
    ? `--${inBody}--${line}`
    : random.pick(["", `--${inBody}`, "--", oddText(random)]);
  const body = Buffer.concat([...written, Buffer.from(end)]);
  const contentType = `multipart/form-data; boundary=${boundary}`;
  return {
    contentType: random.chance(0.9) ? contentType : mutateText(contentType, random),
    body: random.chance(0.8) ? body : mutateBytes(body, random),
  };
}

function mutatePart(parts: Part[], random: Random): void {
  const at = random.below(parts.length + 1);
  const part = parts[at];
  const choice = random.below(8);
  if (part === undefined)
    parts.push({ headers: [random.pick(HEADERS)], content: Buffer.from(oddText(random)) });
  else if (choice < 1) parts.splice(at, 1);
  else if (choice < 2) parts.push(...Array.from({ length: random.few(256) }, () => part));
  else if (choice < 3) part.content = mutateBytes(part.content, random);
  else if (choice < 5) part.content = Buffer.from(mutateText(part.content.toString(), random));
  else if (choice < 6) part.headers.push(...Array<string>(random.few(64)).fill(random.pick(HEADERS)));
  else
    part.headers = part.headers.map((header) => (random.chance(0.5) ? mutateText(header, random) : header));
}
