// Who is logged in. The session itself is a cookie that scripts cannot read.
import { ApiError, logIn, logOut, whoAmI, type Me } from './api';

export const session = $state({
  user: null as Me | null,
  /** Sent with every change; proves that the change comes from this page. */
  csrf: '' as string,
  isKnown: false,
  error: '',
});

function enter(user: Me): void {
  session.user = user;
  session.csrf = user.csrf_token ?? '';
  session.error = '';
}

/** Asks the server at start whether the cookie is still good. */
export async function resume(): Promise<void> {
  try {
    enter(await whoAmI());
  } catch (error) {
    if (!(error instanceof ApiError)) session.error = 'The server could not be reached. Is it running?';
  }
  session.isKnown = true;
}

export async function signIn(name: string, password: string): Promise<void> {
  enter(await logIn(name, password));
}

export async function signOut(): Promise<void> {
  await logOut();
  session.user = null;
  session.csrf = '';
}

export const mayOperate = (): boolean => session.user?.role === 'operator' || session.user?.role === 'admin';
export const mayAdminister = (): boolean => session.user?.role === 'admin';
