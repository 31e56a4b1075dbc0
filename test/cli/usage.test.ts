import { readFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { describe, expect, it } from "vitest";
import { retouch } from "./run.ts";

const manifest = JSON.parse(readFileSync(new URL("../../package.json", import.meta.url), "utf8"));

describe("retouch", () => {
  it("prints its version", async () => {
    for (const flag of ["--version", "-V"]) {
      const { code, stdout, stderr } = await retouch([flag]);
      expect([code, stdout.toString(), stderr]).toEqual([0, `${manifest.version}\n`, ""]);
    }
  });

  it("prints its help, and that of edit with every flag", async () => {
    const help = await retouch(["--help"]);
    expect([help.code, help.stderr]).toEqual([0, ""]);
    expect(help.stdout.toString()).toMatch(/^Usage: retouch .*edit \[options\] \[image\.\.\.\] <prompt> /s);

    const edit = (await retouch(["edit", "--help"])).stdout.toString();
    const flags = [...edit.matchAll(/^ {2}(?:-\w, )?(--[a-z0-9-]+)/gm)].map((match) => match[1]);
    const expected =
      "output overwrite image image-layout mask strength padding-mask-crop mask-blur mask-feather prompt-2 max-sequence-length negative-prompt use-empty-negative-prompt true-cfg-scale size size-rule steps sampler sigmas guidance acceleration min-psnr seed num-images format quality background checkpoint transformer vae text-encoder lora weights threads memory-limit device compute-type reference-cache preserve mask-out keep-unchanged no-keep-unchanged no-safety-checker receipt from-original history";
    expect(flags).toEqual([...expected.split(" "), "json", "quiet", "help"].map((name) => `--${name}`));
  });

  it("prints its help as an error when no command is given", async () => {
    const { code, stdout, stderr } = await retouch([]);
    expect([code, stdout.length]).toEqual([2, 0]);
    expect(stderr).toMatch(/^Usage: retouch/);
  });
});

describe("an error of a command", () => {
  it.each([
    "edit",
    "serve",
    "worker",
    "mcp",
    "pull",
    "doctor",
    "keys",
    "keys create",
    "keys list",
    "keys revoke",
    "keys rotate-webhook-secret",
    "keys revoke-old-webhook-secrets",
  ])("points to that command's help: %s", async (command) => {
    const { code, stderr } = await retouch([...command.split(" "), "--no-such-flag"]);
    expect([code, stderr]).toEqual([
      2,
      `retouch: unknown option '--no-such-flag'; see retouch ${command} --help.\n`,
    ]);
  });

  it("prints the help of a group of commands where none is given", async () => {
    const { code, stdout, stderr } = await retouch(["keys"]);
    expect([code, stdout.length]).toEqual([2, 0]);
    expect(stderr).toMatch(/^Usage: retouch keys /);
  });
});

describe("a wrong command line ends with code 2 and one sentence", () => {
  const edit = ["edit", "bird.png", "Make it night"];
  const long = "x".repeat(4001);
  it.each([
    [["paint"], "unknown command 'paint'; see retouch --help."],
    [["serv"], "unknown command 'serv' (Did you mean serve?); see retouch --help."],
    [["--port", "1"], "unknown option '--port'; see retouch --help."],
    [["keys", "creat", "x"], "unknown command 'creat' (Did you mean create?); see retouch keys --help."],
    [["keys", "create"], "missing required argument 'name'; see retouch keys create --help."],
    [
      ["keys", "list", "all"],
      "too many arguments for 'list'. Expected 0 arguments but got 1; see retouch keys list --help.",
    ],
    [
      ["serve", "now"],
      "too many arguments for 'serve'. Expected 0 arguments but got 1; see retouch serve --help.",
    ],
    [["quantize"], "required option '--weights <kind>' not specified; see retouch quantize --help."],
    [["doctor", "--model"], "option '--model <repo>' argument missing; see retouch doctor --help."],
    [["edit"], "missing required argument 'prompt'; see retouch edit --help."],
    [["edit", "bird.png"], 'the prompt: it is missing: "bird.png" is an image.'],
    [["edit", "bird.png", "src/"], 'the prompt: it is missing: "src/" is a folder.'],
    [["edit", "src", "Make it night"], '"src" is a folder; name one for the results, such as -o edited/.'],
    [
      ["edit", "src", "Make it night", "-o", "a.png"],
      '-o must be a folder, since there is one among the images, not "a.png".',
    ],
    [
      ["edit", "src", "Make it night", "-o", "-"],
      '-o must be a folder, since there is one among the images, not "-".',
    ],
    [
      ["batch", "jobs.jsonl"],
      "required option '-o, --output <dir>' not specified; see retouch batch --help.",
    ],
    [["batch", "-o", "out"], "missing required argument 'jobs'; see retouch batch --help."],
    [["batch", "none.jsonl", "-o", "out", "--dry-run"], "none.jsonl cannot be read: there is no such file."],
    [["edit", "bird.png", "hat.png"], 'the prompt: it is missing: "hat.png" is an image.'],
    [
      ["edit", "bird.png", "make", "it", "night"],
      '"make" is not an existing image; put the prompt in quotes.',
    ],
    [[...edit, "--stepz", "3"], "unknown option '--stepz' (Did you mean --steps?); see retouch edit --help."],
    [[...edit, "--steps"], "option '--steps <number>' argument missing; see retouch edit --help."],
    [[...edit, "--steps", "51"], "--steps must be a whole number from 1 to 50, not 51."],
    [[...edit, "--steps", "NaN"], '--steps must be a number, not "NaN".'],
    [[...edit, "--steps", ""], '--steps must be a number, not "".'],
    [[...edit, "--guidance", "11"], "--guidance must be a number from 0 to 10, not 11."],
    [[...edit, "--seed", "-2"], "--seed must be a whole number from -1 to 9007199254740991, not -2."],
    [
      [...edit, "--size", "64*4097"],
      "the height in --size must be a whole number from 16 to 4096, not 4097.",
    ],
    [
      [...edit, "--size", "64"],
      '--size must be a width and a height such as 1024x768, auto or source, not "64".',
    ],
    [[...edit, "--size-rule", "stretch"], '--size-rule must be exact or diffusers, not "stretch".'],
    [[...edit, "--reference-cache", "exact"], '--reference-cache must be approximate, not "exact".'],
    [[...edit, "--strength", "0.5"], "--strength must not be given without --mask."],
    [[...edit, "--mask", "m.png", "--strength", "1.5"], "--strength must be a number from 0 to 1, not 1.5."],
    [[...edit, "--mask", "m.png", "--strength", "0"], "--strength must be a number above 0, not 0."],
    [
      [...edit, "--image", "hat.png", "--image", "b.png", "--mask", "m.png"],
      "--mask: it goes with the image to edit and at most one to look at, and there are 3.",
    ],
    [
      [...edit, "--image", "hat.png", "--mask", "m.png", "--image-layout", "index"],
      "--image-layout must not be index: with a mask, the second image shows what is to be drawn inside.",
    ],
    [
      [...edit, "--mask", "m.png", "--mask-feather", "3", "--no-keep-unchanged"],
      "--mask-feather: it is the edge of what is laid over the image, which takes keeping the unchanged pixels or a crop around the mask.",
    ],
    [[...edit, "--threads", "many"], '--threads must be a number, not "many".'],
    [[...edit, "--device", "tpu"], '--device must be auto, cpu, cuda, webgpu, coreml or dml, not "tpu".'],
    [[...edit, "--format", "gif"], '--format must be png, jpeg, webp or avif, not "gif".'],
    [[...edit, "-o", "a.jpg", "--format", "png"], "--format png contradicts the name in -o a.jpg."],
    [
      [...edit, "-o", "a.gif"],
      "-o a.gif does not end in .png, .jpg, .webp or .avif (or give the format with --format).",
    ],
    [["edit", "bird.png", ""], "the prompt must not be empty."],
    [["edit", "bird.png", long], "the prompt must have at most 4000 characters, not 4001."],
    [[...edit, "--negative-prompt", long], "--negative-prompt must have at most 4000 characters, not 4001."],
  ] satisfies [string[], string][])("%j", async (args, sentence) => {
    const { code, stdout, stderr } = await retouch(args);
    expect(stderr).toBe(`retouch: ${sentence}\n`);
    expect([code, stdout.length]).toEqual([2, 0]);
  });

  it("once the model is there, too: no image for one that cannot draw without", async () => {
    const { code, stdout, stderr } = await retouch(["edit", "Make it night", "--quiet"]);
    expect(stderr).toBe("retouch: image is missing.\n");
    expect([code, stdout.length]).toEqual([2, 0]);
  });

  it.each([
    [
      ["--size-rule", "diffusers"],
      "--size-rule is not supported: diffusers has a rule of sizes of this kind for FLUX.2 alone.",
    ],
    [
      ["--reference-cache", "approximate"],
      "--reference-cache is not supported: the model of this checkpoint sees its image in every step.",
    ],
  ])("once the model is there, too: what FLUX.2 alone has, %j", async (flags, sentence) => {
    const image = new URL("../../examples/bluebird.png", import.meta.url).pathname;
    const { code, stdout, stderr } = await retouch(["edit", image, "Make it night", "--quiet", ...flags], {
      cwd: tmpdir(),
    });
    expect(stderr).toBe(`retouch: ${sentence}\n`);
    expect([code, stdout.length]).toEqual([2, 0]);
  });

  it("after the picture is read, too: --threads -1", async () => {
    const image = new URL("../../examples/bluebird.png", import.meta.url).pathname;
    const { code, stderr } = await retouch([
      "edit",
      image,
      "Make it night",
      "--threads",
      "-1",
      "-o",
      "/dev/null",
    ]);
    expect(stderr).toBe("retouch: --threads must be a whole number from 0 to 1024, not -1.\n");
    expect(code).toBe(2);
  });
});
