// Log lines as a small web shop would write them: something to produce when there is nothing at hand.

export interface LogLine {
  /** The service: lines of one keep their order. */
  readonly key: string;
  readonly value: string;
}

export interface LogLineSource {
  readonly nowMs: () => number;
  /** From 0 up to 1. */
  readonly random: () => number;
}

interface Service {
  readonly name: string;
  readonly messages: readonly ((pick: Pick) => string)[];
  readonly troubles: readonly ((pick: Pick) => string)[];
}

/** Random values of the kinds that logs are full of. */
interface Pick {
  readonly number: (from: number, to: number) => number;
  readonly one: <Item>(items: readonly [Item, ...Item[]]) => Item;
  readonly hex: (digits: number) => string;
  /** Mostly short, seldom long. */
  readonly milliseconds: () => number;
}

const paths = ["/", "/search", "/cart", "/checkout", "/api/orders", "/api/items/1207"] as const;
const methods = ["card", "invoice", "wallet"] as const;

const services: readonly [Service, ...Service[]] = [
  {
    name: "web",
    messages: [
      (pick) =>
        `GET ${pick.one([...paths])} status=200 bytes=${pick.number(400, 48_000)} duration_ms=${pick.milliseconds()}`,
      (pick) =>
        `POST /cart status=201 items=${pick.number(1, 9)} duration_ms=${pick.milliseconds()}`,
    ],
    troubles: [
      (pick) => `GET ${pick.one([...paths])} status=404 duration_ms=${pick.milliseconds()}`,
      (pick) => `POST /checkout status=503 retry_after_s=${pick.number(1, 30)}`,
    ],
  },
  {
    name: "checkout",
    messages: [
      (pick) =>
        `order ${pick.number(10_000, 99_999)} placed items=${pick.number(1, 9)} total=${pick.number(5, 400)}.${pick.number(10, 99)} currency=EUR`,
    ],
    troubles: [(pick) => `order ${pick.number(10_000, 99_999)} rejected: address is incomplete`],
  },
  {
    name: "payments",
    messages: [
      (pick) =>
        `captured order=${pick.number(10_000, 99_999)} method=${pick.one([...methods])} duration_ms=${pick.milliseconds()}`,
    ],
    troubles: [
      (pick) => `declined order=${pick.number(10_000, 99_999)} reason=insufficient_funds`,
      (pick) =>
        `gateway timed out after ${pick.number(3_000, 9_000)} ms, attempt=${pick.number(1, 3)}`,
    ],
  },
  {
    name: "inventory",
    messages: [
      (pick) =>
        `reserved sku=${pick.hex(6)} quantity=${pick.number(1, 5)} left=${pick.number(0, 800)}`,
    ],
    troubles: [(pick) => `low stock sku=${pick.hex(6)} left=${pick.number(0, 4)}`],
  },
];

/** One line in so many is a warning or an error. */
const TROUBLE_SHARE = 0.08;

function createPick(random: () => number): Pick {
  const number = (from: number, to: number): number =>
    from + Math.floor(random() * (to - from + 1));
  return {
    number,
    one: (items) => items[number(0, items.length - 1)] ?? items[0],
    hex: (digits) => Array.from({ length: digits }, () => number(0, 15).toString(16)).join(""),
    milliseconds: () => Math.round(2 + 15 / (1 - 0.98 * random())),
  };
}

/** A line, as of now. */
export function createLogLine(source: LogLineSource): LogLine {
  const pick = createPick(source.random);
  const service = pick.one(services);
  const isTrouble = source.random() < TROUBLE_SHARE;
  const [first, ...others] = isTrouble ? service.troubles : service.messages;
  const message = first === undefined ? "" : pick.one([first, ...others])(pick);
  const level = isTrouble ? pick.one(["WARN ", "WARN ", "ERROR"]) : "INFO ";
  const time = new Date(source.nowMs()).toISOString();
  return {
    key: service.name,
    value: `${time} ${level} [${service.name}] ${message} trace=${pick.hex(8)}`,
  };
}
