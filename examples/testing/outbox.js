// An application's outbox: events are published in the order they happened, one stream for each account.

/** @typedef {{ account: string, kind: string }} AccountEvent */

export class Outbox {
  #producer;

  /** @param {import("millrace").Millrace} client */
  constructor(client) {
    this.#producer = client.producer();
  }

  /**
   * Resolves when the event is stored.
   * @param {AccountEvent} event
   */
  async publish(event) {
    const { account, ...rest } = event;
    await this.#producer.send({
      topic: "account-events",
      key: account,
      value: JSON.stringify(rest),
    });
  }
}
