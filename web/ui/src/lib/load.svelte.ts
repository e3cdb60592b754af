// One request's life as a screen sees it: loading, loaded or failed. A newer request wins over an older one.
import { ApiError } from './api';

export class Load<T> {
  value = $state<T>();
  error = $state('');
  isLoading = $state(false);
  #latest = 0;

  /** Runs a request; keeps the old value on the screen until the new one is there. */
  async run(request: () => Promise<T>): Promise<void> {
    const mine = ++this.#latest;
    this.isLoading = true;
    try {
      const value = await request();
      if (mine !== this.#latest) return;
      this.value = value;
      this.error = '';
    } catch (error) {
      if (mine !== this.#latest) return;
      this.error = error instanceof ApiError ? error.message : 'The server could not be reached. Is it running?';
    } finally {
      if (mine === this.#latest) this.isLoading = false;
    }
  }
}
