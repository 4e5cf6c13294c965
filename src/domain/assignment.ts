export const contentTypes = ['video', 'image', 'link', 'text', 'reel', 'short', 'story', 'carousel'] as const;
export type ContentType = (typeof contentTypes)[number];

export const assignmentStatuses = [
  'pending',
  'uploading',
  'uploaded',
  'processing',
  'published',
  'failed',
  'cancelled',
] as const;
export type AssignmentStatus = (typeof assignmentStatuses)[number];

/** States on the way from one status to another along the ordinary road, so that no transition is skipped. */
export function pathTo(from: AssignmentStatus, to: AssignmentStatus): AssignmentStatus[] {
  const road: AssignmentStatus[] = ['uploading', 'uploaded', 'processing', 'published'];
  const start = road.indexOf(from);
  const end = road.indexOf(to);
  if (start < 0 || end <= start) return [to];
  return road.slice(start + 1, end + 1);
}

/**
 * True while a cancel can still keep the post from being made; `intended` = the step that makes it has begun, or was
 * begun by an earlier attempt whose outcome is unknown.
 */
export function isCancellable(status: AssignmentStatus, intended: boolean): boolean {
  return (status === 'pending' || status === 'uploading') && !intended;
}

/** One cause of a failure; `retryable` says whether a retry can help. Codes are ours, texts too. */
export type AssignmentError = { code: string; message: string; retryable: boolean };

/** One file of a post, as given by the caller. */
export type Media = { url: string; contentType?: string; sizeBytes?: number; altText?: string };

/** Rows carry the version that wrote them; a worker claims only up to its own. Raise it when progress changes shape. */
export const handlerVersion = 1;
