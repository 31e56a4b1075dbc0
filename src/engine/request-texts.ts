/** The prompts of a request. */
import { invalid } from "../errors.ts";
import { EDIT_PARAMETERS } from "./edit-parameters.ts";
import { promptWithin, stringWithin } from "./request-values.ts";

interface GivenTexts {
  prompt?: string | undefined;
  prompt2?: string | undefined;
  negativePrompt?: string | undefined;
  promptEmbeds?: unknown;
  negativePromptEmbeds?: unknown;
}

/** The prompts; embeddings in their place exclude them, as in the reference. */
export function textsWithin({
  prompt,
  prompt2 = "",
  promptEmbeds,
  negativePrompt = "",
  negativePromptEmbeds,
}: GivenTexts): { prompt: string; prompt2: string | undefined } {
  if (negativePromptEmbeds !== undefined && negativePrompt !== "") {
    throw invalid("notTogether", { field: "negativePrompt", other: "negativePromptEmbeds" });
  }
  const ofT5 = stringWithin("prompt2", prompt2, EDIT_PARAMETERS.prompt2) || undefined;
  if (promptEmbeds === undefined) {
    return { prompt: promptWithin("prompt", prompt, EDIT_PARAMETERS.prompt), prompt2: ofT5 };
  }
  for (const [field, text] of Object.entries({ prompt, prompt2: ofT5 })) {
    if (text !== undefined) throw invalid("notTogether", { field, other: "promptEmbeds" });
  }
  return { prompt: "", prompt2: undefined };
}
