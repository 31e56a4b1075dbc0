/** The variables of Hugging Face's tools, in the order in which these read them. */
import { writeFile } from "node:fs/promises";
import path from "node:path";
import { describe, expect, it } from "vitest";
import { readHubSettings } from "../../src/config/hub-settings.ts";
import { readToken } from "../../src/hub/token.ts";
import { refusal } from "../support/refusal.ts";
import { temporaryFolder } from "../support/temporary.ts";

const HOME = path.resolve("/home/someone");
const read = (environment: Record<string, string>) => readHubSettings(environment, HOME);

describe("readHubSettings", () => {
  it("has the defaults of Python's huggingface_hub", () => {
    expect(read({})).toEqual({
      endpoint: "https://huggingface.co",
      cacheFolder: path.join(HOME, ".cache/huggingface/hub"),
      token: undefined,
      tokenFile: path.join(HOME, ".cache/huggingface/token"),
      isOffline: false,
      proxies: { http: undefined, https: undefined, none: undefined },
    });
  });

  it("takes proxies in either spelling, with and without http://, and shows none that is wrong", () => {
    const one = {
      HTTP_PROXY: "http://a:1",
      http_proxy: "b:2",
      HTTPS_PROXY: "https://me:secret@c",
      NO_PROXY: "d",
    };
    expect(read(one).proxies).toEqual({ http: "http://b:2/", https: "https://me:secret@c/", none: "d" });
    const wrong = { HTTPS_PROXY: "socks5://me:secret@c" };
    expect(() => read(wrong)).toThrow(
      refusal("CONFIG_INVALID", "HTTPS_PROXY must be an http or https address.") as Error,
    );
  });

  it.each([
    [{ XDG_CACHE_HOME: "/x" }, "/x/huggingface/hub", "/x/huggingface/token"],
    [{ XDG_CACHE_HOME: "/x", HF_HOME: "/h" }, "/h/hub", "/h/token"],
    [{ HF_HOME: "~/h" }, `${HOME}/h/hub`, `${HOME}/h/token`],
    [{ HF_HOME: "/h", HUGGINGFACE_HUB_CACHE: "/old" }, "/old", "/h/token"],
    [{ HUGGINGFACE_HUB_CACHE: "/old", HF_HUB_CACHE: "/c", HF_TOKEN_PATH: "/t", HF_HOME: "/h" }, "/c", "/t"],
  ])("%j", (environment, cacheFolder, tokenFile) => {
    const paths = { cacheFolder: path.resolve(cacheFolder), tokenFile: path.resolve(tokenFile) };
    expect(read(environment as Record<string, string>)).toMatchObject(paths);
  });

  it("takes another hub, and refuses what is no address without showing a login", () => {
    expect(read({ HF_ENDPOINT: "http://hub.test:8080/" }).endpoint).toBe("http://hub.test:8080");
    const no = "HF_ENDPOINT must be an http or https address without a login.";
    for (const HF_ENDPOINT of ["hub.test", "ftp://hub.test", "https://me:secret@hub.test"]) {
      expect(() => read({ HF_ENDPOINT })).toThrow(refusal("CONFIG_INVALID", no) as Error);
    }
  });

  it("knows when nothing may be asked", () => {
    const isOffline = (HF_HUB_OFFLINE: string): boolean => read({ HF_HUB_OFFLINE }).isOffline;
    expect(["1", "true", "YES", "on"].map(isOffline)).toEqual([true, true, true, true]);
    expect(["", "0", "false", "no"].map(isOffline)).toEqual([false, false, false, false]);
  });
});

describe("readToken", () => {
  it("takes the variable before the file, and none where there is none", async () => {
    const tokenFile = path.join(await temporaryFolder(), "token");
    expect(await readToken({ token: undefined, tokenFile })).toBeUndefined();
    await writeFile(tokenFile, "hf_file\n");
    expect(await readToken({ token: undefined, tokenFile })).toBe("hf_file");
    const { token } = read({ HUGGING_FACE_HUB_TOKEN: " hf_given " });
    expect(await readToken({ token, tokenFile })).toBe("hf_given");
  });

  it("refuses what no header takes, without showing it", async () => {
    await expect(readToken({ token: "hf_a\nb", tokenFile: "" })).rejects.toEqual(
      refusal("CONFIG_INVALID", "HF_TOKEN must hold a token of the hub on one line."),
    );
  });
});
