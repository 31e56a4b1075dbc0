"""The pipelines of which cases are drawn. A module has three functions:

- `draw_case(draw)` gives an edit, as `protocol.ts` has it, and the files that it is made with;
- `sources_of(edit)` gives the images that are edited, [height, width, 3] each;
- `run_case(folder, edit)` edits with the reference: the last `latents` and the `picture`.

Our side finds its pipeline by `model_index.json`, so it needs nothing (`edit-drawn.ts`).
"""

from drawn import klein, kontext

PIPELINES = {"kontext": kontext, "klein": klein}
