export function clock(seconds: number): string {
  const whole = Math.floor(seconds);
  const hours = Math.floor(whole / 3600);
  const minutes = Math.floor(whole / 60) % 60;
  const rest = String(whole % 60).padStart(2, '0');
  return hours > 0 ? `${hours}:${String(minutes).padStart(2, '0')}:${rest}` : `${minutes}:${rest}`;
}

/** Seconds of "1:23", "1:02:03", "83" or "1:23.5"; undefined: something else. */
export function seconds(text: string): number | undefined {
  if (!/^\d+(:[0-5]?\d){0,2}([.,]\d+)?$/.test(text.trim())) return undefined;
  return text.trim().replace(',', '.').split(':').reduce((sum, part) => 60 * sum + Number(part), 0);
}

export function megabytes(bytes: number): string {
  return `${(bytes / 1e6).toFixed(bytes < 1e6 ? 1 : 0)} MB`;
}

export function bytes(count: number): string {
  return count < 1e9 ? megabytes(count) : `${(count / 1e9).toFixed(1)} GB`;
}

export function signed(value: number, digits = 0): string {
  return `${value > 0 ? '+' : value < 0 ? '−' : ''}${Math.abs(value).toFixed(digits)}`;
}
