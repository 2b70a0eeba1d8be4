// Every named scenario.
import { kuredStories } from "./kured.ts";
import { outcomeStories } from "./outcomes.ts";
import { phaseStories } from "./phases.ts";
import { publicFaultStories } from "./public-faults.ts";
import { reasonStories } from "./reasons.ts";
import type { Story } from "./story.ts";

export const stories: readonly Story[] = [...kuredStories, ...publicFaultStories, ...phaseStories, ...outcomeStories, ...reasonStories];
