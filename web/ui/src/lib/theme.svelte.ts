// Light or dark: what the viewer chose, else what their system prefers.
export type Theme = 'system' | 'light' | 'dark';

const KEY = 'plimsoll-theme';
const stored = localStorage.getItem(KEY);

export const theme = $state({ choice: (stored === 'light' || stored === 'dark' ? stored : 'system') as Theme, version: 0 });

const dark = matchMedia('(prefers-color-scheme: dark)');
dark.addEventListener('change', applyTheme);

/** Puts the theme on the document; charts redraw when `theme.version` changes, since a canvas does not follow CSS. */
export function applyTheme(): void {
  const isDark = theme.choice === 'dark' || (theme.choice === 'system' && dark.matches);
  document.documentElement.dataset.theme = isDark ? 'dark' : 'light';
  theme.version += 1;
}

export function chooseTheme(choice: Theme): void {
  theme.choice = choice;
  if (choice === 'system') localStorage.removeItem(KEY);
  else localStorage.setItem(KEY, choice);
  applyTheme();
}
