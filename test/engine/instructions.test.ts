import { describe, expect, it } from "vitest";
import { joinInstructions } from "../../src/engine/instructions.ts";

describe("instructions that are joined", () => {
  it.each([
    [["Make it night"], "Make it night"],
    [["Make it night."], "Make it night."],
    [["Make it night.", "Add snow", "Remove the car!"], "Make it night, then Add snow, then Remove the car!"],
    [["  Make it night ;\n", " Add snow. "], "Make it night, then Add snow."],
    [["夜にして。", "雪を降らせて。"], "夜にして, then 雪を降らせて。"],
    [["Could it be night?", "Add snow"], "Could it be night?, then Add snow"],
    [["...", "Add snow"], "..., then Add snow"],
    [["Add a sign. It says 3.5", "Add snow"], "Add a sign. It says 3.5, then Add snow"],
  ])("%j are one: %s", (instructions, joined) => {
    expect(joinInstructions(instructions)).toBe(joined);
  });

  it("do not take long however many points end them", () => {
    const text = `${".".repeat(4000)}a`.repeat(10);
    expect(joinInstructions([text, text])).toHaveLength(2 * text.length + 7);
  });
});
