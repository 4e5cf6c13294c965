/** A fault that the test of an item has to find. */
export type Mutant = {
  /** The item of the checklist. */
  item: number;
  name: string;
  /** Below src. */
  file: string;
  /** Occurs once in the file. */
  find: string;
  replace: string;
};
