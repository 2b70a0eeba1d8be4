// What the Functions host loads: registration is a side effect of the import, and nothing else happens in it.
import { app } from "@azure/functions";
import { registerControls } from "./controls.ts";
import { registerDoctor } from "./doctor.ts";
import { registerMetrics } from "./metrics.ts";
import { Scheduler } from "./scheduler.ts";
import { registerStatus } from "./status.ts";
import { registerTick } from "./tick.ts";

const scheduler = new Scheduler(process.env);
registerTick(app, scheduler, process.env);
registerStatus(app, scheduler);
registerMetrics(app, scheduler);
registerControls(app, scheduler);
registerDoctor(app, scheduler);
