export default function StrategyPage() {
  return null;
}
