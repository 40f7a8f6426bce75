export default function StrategiesPage() {
  return null;
}
