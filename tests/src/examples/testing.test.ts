// The example's own tests, run as part of ours.
import "../../../examples/testing/outbox.test.js";
