import { PlatformFailure } from './contract.ts';

/** Reads a media stream piece by piece with as little memory as the asked look-ahead. */
export class ByteReader implements Disposable {
  /** Why the source could not go on, if so; tells it from a failure of the connection the bytes go to. */
  failure: unknown;
  readonly #source: AsyncIterator<Uint8Array>;
  readonly #signal: AbortSignal;
  readonly #buffered: Uint8Array[] = [];
  #bufferedBytes = 0;
  #begun = false;
  #ended = false;

  constructor(body: AsyncIterable<Uint8Array>, signal: AbortSignal) {
    this.#source = body[Symbol.asyncIterator]();
    this.#signal = signal;
  }

  /** Bytes left, when the end comes within `limit` bytes; undefined when there are more. Reads ahead to find out. */
  async leftWithin(limit: number): Promise<number | undefined> {
    while (!this.#ended && this.#bufferedBytes <= limit) await this.#pull();
    return this.#bufferedBytes <= limit ? this.#bufferedBytes : undefined;
  }

  /** The next `length` bytes as they come. Throws `retry` when the source ends before. */
  async *take(length: number): AsyncGenerator<Uint8Array, void> {
    for (let left = length; left > 0; ) {
      while (this.#buffered.length === 0 && !this.#ended) await this.#pull();
      const piece = this.#buffered.shift();
      if (!piece) throw this.#fail(interrupted());
      const taken = piece.subarray(0, left);
      if (taken.byteLength < piece.byteLength) this.#buffered.unshift(piece.subarray(left));
      this.#bufferedBytes -= taken.byteLength;
      left -= taken.byteLength;
      yield taken;
    }
  }

  /**
   * Closes the source; not awaited, since a read that hangs would hold it up. A generator that never began would not
   * reach its own clean-up, so it is begun first.
   */
  [Symbol.dispose](): void {
    if (!this.#begun) this.#source.next().catch(() => {});
    Promise.resolve(this.#source.return?.()).catch(() => {});
  }

  async #pull(): Promise<void> {
    this.#begun = true;
    try {
      const piece = await this.#source.next();
      if (piece.done) this.#ended = true;
      else if (piece.value.byteLength > 0) {
        this.#buffered.push(piece.value);
        this.#bufferedBytes += piece.value.byteLength;
      }
    } catch (error) {
      if (this.#signal.aborted) throw this.#fail(this.#signal.reason);
      throw this.#fail(error instanceof PlatformFailure ? error : interrupted());
    }
  }

  #fail(error: unknown): unknown {
    this.failure = error;
    return error;
  }
}

function interrupted(): PlatformFailure {
  return new PlatformFailure('retry', 'media_interrupted', 'The source of the media broke off.');
}
