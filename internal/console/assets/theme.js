// Runs before the page is drawn, so that the chosen colours do not flash.
try {
  const theme = localStorage.getItem('fairlead-theme');
  if (theme === 'light' || theme === 'dark') document.documentElement.dataset.theme = theme;
} catch { /* storage is off: the system's colours stay */ }
