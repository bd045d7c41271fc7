// What the pipeline is about, without any Millrace in it.

/**
 * @typedef {{ id: string, items: { price: number, quantity: number }[] }} Order
 * @typedef {{ order: string, orderOffset: number, totalCents: number }} Invoice
 */

/**
 * @param {Order} order
 * @param {number} orderOffset
 * @returns {Invoice}
 */
export function invoiceOf(order, orderOffset) {
  const total = order.items.reduce((sum, { price, quantity }) => sum + price * quantity, 0);
  return { order: order.id, orderOffset, totalCents: Math.round(total * 100) };
}
