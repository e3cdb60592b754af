// The address bar is the state: path and query in, the screen to show out. Filters live in the query, so a link to a
// filtered list can be sent to a colleague.
export const location_ = $state({ path: window.location.pathname, query: new URLSearchParams(window.location.search) });

function read(): void {
  location_.path = window.location.pathname;
  location_.query = new URLSearchParams(window.location.search);
}

window.addEventListener('popstate', read);

/** Goes to a path of the dashboard. */
export function go(to: string, options: { replace?: boolean } = {}): void {
  if (options.replace) history.replaceState(null, '', to);
  else history.pushState(null, '', to);
  read();
  if (!options.replace) window.scrollTo(0, 0);
}

/** Changes query parameters in place; an empty value removes its parameter. */
export function setQuery(changes: Record<string, string | null>): void {
  const query = new URLSearchParams(location_.query);
  for (const [name, value] of Object.entries(changes)) {
    if (value) query.set(name, value);
    else query.delete(name);
  }
  const text = query.toString();
  go(text ? `${location_.path}?${text}` : location_.path, { replace: true });
}

/** Makes plain left clicks on links within the dashboard change the screen without a page load. */
export function followLinks(event: MouseEvent): void {
  const link = (event.target as Element).closest('a');
  const isPlain = event.button === 0 && !event.metaKey && !event.ctrlKey && !event.shiftKey && !event.altKey;
  if (!link || !isPlain || link.target || link.origin !== window.location.origin) return;
  if (link.pathname.startsWith('/api/') || link.hash) return;
  event.preventDefault();
  go(link.pathname + link.search);
}

/** Whether the address narrows what is listed; which tab or page is shown does not. */
export function isFiltered(): boolean {
  return [...location_.query.keys()].some((name) => !['tab', 'view', 'cursor'].includes(name));
}
