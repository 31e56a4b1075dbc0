/** Chat templates: texts and ids are the reference's, and a template that would cost too much is refused. */
import { describe, expect, it } from "vitest";
import { ChatTokenizer } from "../../src/tokenizers/chat.ts";
import { strip } from "../../src/tokenizers/jinja-values.ts";
import { renderTemplate } from "../../src/tokenizers/jinja.ts";
import { compareChatRows } from "../../tools/token-rows.ts";
import { readJson } from "../support/fixtures.ts";
import { refusal } from "../support/refusal.ts";
import { type Contents, filesOf, tokenizerCheckpoint } from "../support/tokenizer-files.ts";
import { cpuMs } from "../support/cpu-time.ts";

interface Folder {
  name: string;
  class: string;
  files: Record<string, number>;
  rows: string;
}

const fixture = readJson<{ texts: string[]; folders: Folder[]; contents: string[] }>("chats.json");
const plain = fixture.folders[0]!;
const filesOfFolder = ({ files }: Folder): Contents => filesOf(files, fixture.contents);

const read = async (files: Contents): Promise<ChatTokenizer> =>
  ChatTokenizer.read(await tokenizerCheckpoint(files, plain.class), "tokenizer");

/** The plain folder with fields of its configuration changed. */
function changed(fields: Record<string, unknown>): Contents {
  const files = filesOfFolder(plain);
  const name = "tokenizer_config.json";
  const config = JSON.parse(files[name]!.toString("utf8")) as Record<string, unknown>;
  return { ...files, [name]: Buffer.from(JSON.stringify({ ...config, ...fields })) };
}

describe("a folder with the chat template", () => {
  it.each(fixture.folders.filter(({ rows }) => rows !== "refused"))(
    "$name gives the reference's text and ids",
    async (folder) => {
      const tokenizer = await read(filesOfFolder(folder));
      expect(compareChatRows(tokenizer, fixture.texts, folder.rows.split(" "))).toEqual([]);
    },
  );

  it.each(fixture.folders.filter(({ rows }) => rows === "refused"))(
    "$name is refused, as it is by the reference",
    async (folder) => {
      await expect(read(filesOfFolder(folder))).rejects.toEqual(
        refusal(
          folder.name.endsWith("more-only") ? "CHECKPOINT_MISSING" : "CHECKPOINT_INVALID",
          /chat.template/,
        ),
      );
    },
  );

  it("is refused if texts are padded on the left", async () => {
    await expect(read(changed({ padding_side: "left" }))).rejects.toEqual(
      refusal("CHECKPOINT_INVALID", /tokenizer_config\.json, padding_side must be right and is "left"\.$/),
    );
  });

  it("is refused for what only its evaluation shows, when it is read", async () => {
    await expect(read(changed({ chat_template: "{{ 1 / 2 }}" }))).rejects.toEqual(
      refusal(
        "CHECKPOINT_UNSUPPORTED",
        /^The chat template in .*tokenizer_config\.json cannot be evaluated: it uses IntegerValue \/ IntegerValue\.$/,
      ),
    );
  });

  it("is refused if it is too long", async () => {
    await expect(read(changed({ chat_template: "x".repeat(50_001) }))).rejects.toEqual(
      refusal("CHECKPOINT_INVALID", /the chat template must have up to 50000 characters and is 50001\.$/),
    );
  });
});

describe("a prompt that does not fit", () => {
  it("loses its end, and the template's", async () => {
    const tokenizer = await read(filesOfFolder(plain));
    const long = "a cat ".repeat(600);
    const { ids, numTokens, isCut } = tokenizer.encode(long, 512);
    expect([ids.length, numTokens, isCut]).toEqual([512, 512, true]);
    expect(tokenizer.encode(long, 600).ids.slice(0, 512)).toEqual(ids);
    expect(tokenizer.encode("a cat", 512)).toMatchObject({ isCut: false });
  });
});

const render = (template: string, content = "hi"): string =>
  renderTemplate(template, { messages: [{ role: "user", content }], tools: null });

describe("a template", () => {
  it.each([
    ["{{ range(10) }}", "it calls range"],
    ["{{ strftime_now('%Y') }}", "it calls strftime_now"],
    ["{{ 'a' * 3 }}", "it uses StringValue * IntegerValue"],
    ["{{ 1 + 'a' }}", "it uses IntegerValue + StringValue"],
    ["{{ 7 % 2 }}", "it uses IntegerValue % IntegerValue"],
    ["{{ 'a'.replace('a', 'b') }}", "it calls replace, or calls it in another way"],
    ["{% set f = 'a'.replace %}", "it uses replace of a value"],
    ["{{ 'a'.upper() }}", "it calls upper, or calls it in another way"],
    ["{{ 'a'['replace']('a', 'b') }}", "it calls a value"],
    ["{{ 'abc'.length }}", "it uses length of a value"],
    ["{{ 'abc'[0] }}", "it uses 0 of a value"],
    ["{{ messages | tojson }}", "it uses the filter tojson, or uses it in another way"],
    ["{{ 'a b' | replace('a', 'b') }}", "it uses the filter replace, or uses it in another way"],
    ["{{ 'a' | indent(1000000000) }}", "it uses the filter indent, or uses it in another way"],
    ["{% filter upper %}a{% endfilter %}", "it uses a FilterStatement"],
    ["{{ 1.5 }}", "it uses a FloatLiteral"],
    ["{% set a = 1 %}{{ -a }}", "it uses the sign -"],
    ["{% for m in messages %}a{% break %}{% endfor %}", "it uses a Break"],
    ["{% for m in messages %}{% continue %}{% endfor %}", "it uses a Continue"],
    ["{{ messages }}", "it prints a ArrayValue"],
    ["{{ messages == messages }}", "it compares a ArrayValue with a ArrayValue"],
    ["{{ 4 is even }}", "it uses the test even"],
    ["{{ {'a': 1} is iterable }}", "it uses the test iterable"],
    ["{% for m in [1, 2] %}{% set a = m %}{% endfor %}", "it sets a variable in a loop"],
    ["{{ raise_exception('no user') }}", 'it fails with "no user"'],
  ])("that reads %s is refused by the name of it", (template, reason) => {
    expect(() => render(template)).toThrow(reason);
  });

  it.each([
    [
      "runs long",
      `{% for a in [${"1,".repeat(200)}] %}{% for b in [${"1,".repeat(200)}] %}x{% endfor %}{% endfor %}`,
      /steps/,
    ],
    ["grows", `{% set x = messages[0].content %}${"{% set x = x + x %}".repeat(40)}`, /too large/],
    ["keeps many values", `{% set x = messages[0].content %}${"{{ x }}".repeat(500)}`, /too large/],
    ["is deep", `{{ ${"(".repeat(20_000)}1${")".repeat(20_000)} }}`, /call stack/],
  ])("that %s is refused within a second", (_, template, reason) => {
    const start = cpuMs();
    expect(() => render(template, "x".repeat(20_000))).toThrow(reason);
    expect(cpuMs() - start).toBeLessThan(1000);
  });
});

describe("Python's strip", () => {
  // From Python 3.11: `"".join(filter(lambda c: c.strip() == "", map(chr, range(0x110000))))`.
  it("takes off the white space of Python, not that of JavaScript", () => {
    const taken = Array.from({ length: 0x10000 }, (_, code) => code).filter(
      (code) => strip(String.fromCharCode(code), "both") === "",
    );
    // prettier-ignore
    expect(taken).toEqual([
      9, 10, 11, 12, 13, 28, 29, 30, 31, 32, 133, 160, 5760, 8192, 8193, 8194, 8195, 8196, 8197, 8198, 8199, 8200, 8201,
      8202, 8232, 8233, 8239, 8287, 12288,
    ]);
  });

  it.each([
    ["both", undefined, "a b"],
    ["start", undefined, "a b\n "],
    ["end", undefined, "\n a b"],
    ["both", "\n", " a b\n "],
    ["end", " \nb", "\n a"],
  ] as const)("works on the side %s, with %j", (side, characters, expected) => {
    expect(strip("\n a b\n ", side, characters)).toBe(expected);
  });
});
