import { authorizeMutants } from './authorize.ts';
import { consentMutants } from './consent.ts';
import { discoveryMutants } from './discovery.ts';
import { registrationMutants } from './registration.ts';
import { storageMutants } from './storage.ts';
import { tokenMutants } from './token.ts';

export type { Mutant } from './mutant.ts';

/** At least one for each item of the checklist; `npm run mutants` plants them one by one. */
export const mutants = [
  ...discoveryMutants,
  ...registrationMutants,
  ...authorizeMutants,
  ...consentMutants,
  ...tokenMutants,
  ...storageMutants,
];
