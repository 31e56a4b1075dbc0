import { describe, expect, it } from "vitest";
import { parseDockerfile } from "../support/container/dockerfile.ts";

describe("a Dockerfile", () => {
  it("is read by stages, with comments left out and lines joined", () => {
    const text = `# head
FROM node:24-slim AS build
ENV A=1 B=two
WORKDIR /app
COPY a b ./
# between
RUN one && \\
# inside
  two
RUN ["one", "two words"]

FROM build
COPY --from=build /app/dist dist
USER node
VOLUME /data
EXPOSE 8000
HEALTHCHECK --interval=10s --start-period=30s CMD ["node", "-e", \\
  "1"]
ENTRYPOINT ["node"]
cmd serve
`;
    expect(parseDockerfile(text)).toEqual({
      stages: [
        {
          from: "node:24-slim",
          name: "build",
          instructions: [
            { kind: "ENV", variables: { A: "1", B: "two" } },
            { kind: "WORKDIR", value: "/app" },
            { kind: "COPY", from: undefined, sources: ["a", "b"], destination: "./" },
            { kind: "RUN", command: ["/bin/sh", "-c", "one &&   two"] },
            { kind: "RUN", command: ["one", "two words"] },
          ],
        },
        {
          from: "build",
          name: undefined,
          instructions: [
            { kind: "COPY", from: "build", sources: ["/app/dist"], destination: "dist" },
            { kind: "USER", value: "node" },
            { kind: "VOLUME", value: "/data" },
            { kind: "EXPOSE", value: "8000" },
            { kind: "HEALTHCHECK", command: ["node", "-e", "1"] },
            { kind: "ENTRYPOINT", command: ["node"] },
            { kind: "CMD", command: ["/bin/sh", "-c", "serve"] },
          ],
        },
      ],
    });
  });

  it.each([
    "ADD a b",
    "ARG A=1",
    "ONBUILD RUN x",
    "COPY --chown=node:node a b",
    "COPY a*.ts b",
    'COPY ["a", "b"]',
    "COPY a",
    "COPY $A b",
    "ENV A 1",
    'ENV A="1 2"',
    "ENV A=$B",
    "RUN --mount=type=cache,target=/x y",
    "RUN <<EOF",
    "WORKDIR /a b",
    'VOLUME ["/data"]',
    "HEALTHCHECK NONE",
    "HEALTHCHECK --retries=3 CMD x",
    'CMD ["a", 1]',
    "FROM --platform=linux/amd64 x",
    "RUN",
    "RUN one \\\n\n two",
    "RUN one \\",
  ])("is refused where the replay would do something else than Docker: %j", (line) => {
    expect(() => parseDockerfile(`FROM x\n${line}`)).toThrow(/does not know|must not/);
  });

  it("begins with FROM, and without directives to the parser", () => {
    expect(() => parseDockerfile("RUN x")).toThrow("A stage begins with FROM");
    expect(() => parseDockerfile("# escape=`\nFROM x")).toThrow("directives");
  });
});
