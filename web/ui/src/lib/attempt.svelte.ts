// One change asked of the server: runs it, keeps what went wrong for the screen.
import { ApiError } from './api';

export class Attempt {
  error = $state('');

  /** True when the change was made. */
  async run(change: () => Promise<unknown>): Promise<boolean> {
    this.error = '';
    try {
      await change();
      return true;
    } catch (error) {
      this.error = error instanceof ApiError ? error.message : 'The server could not be reached. Is it running?';
      return false;
    }
  }
}
