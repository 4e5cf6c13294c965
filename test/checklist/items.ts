/** The numbers of the items whose tests stand in this source, in their order. */
export function itemsOf(source: string): number[] {
  return [...source.matchAll(/^test\(\s*'(\d+) /gm)].map(([, number]) => Number(number));
}
