// What Azure Monitor wakes people for. Every rule is a query over the journal in ../alerts, by the rule's name; docs/operations.md has a
// heading for each. All are resolved by themselves.
import { AlertLimits } from '../parameters.bicep'

param location string
param tags object
param token string
param workspaceId string
param componentId string
param actionGroupId string
param limits AlertLimits

// A workspace may hold what others write: only the lines of this scheduler count.
var ofEverybody = 'let component = "";'
var ours = 'let component = "${componentId}";'

// severity: 1 error, 2 warning, 3 informational: nothing to get up for.
// measure and dimensions are columns of the query's result. It fires where the measure is above 0.
var rules = [
  {
    name: 'no-tick'
    title: 'No round has ended: nothing is looked at'
    query: loadTextContent('../alerts/no-tick.kql')
    severity: 1
    every: 'PT5M'
    window: 'PT${limits.?noTickMinutes ?? 10}M'
    measure: 'stopped'
    dimensions: []
  }
  {
    name: 'cluster-failing'
    title: 'A cluster cannot be looked at'
    query: loadTextContent('../alerts/cluster-failing.kql')
    severity: 2
    every: 'PT5M'
    window: 'PT15M'
    measure: 'failed'
    dimensions: ['cluster']
  }
  {
    name: 'node-stuck'
    title: 'A node needs a person: nothing else begins in its cluster'
    query: loadTextContent('../alerts/node-stuck.kql')
    severity: 2
    every: 'PT5M'
    window: 'PT1H'
    measure: 'needsPerson'
    dimensions: ['cluster', 'node']
  }
  {
    name: 'node-cordoned-long'
    title: 'A node has been out of service because of us for hours'
    query: replace(
      loadTextContent('../alerts/node-cordoned-long.kql'),
      'let cordonedLimit = 6h;',
      'let cordonedLimit = ${limits.?cordonedHours ?? 6}h;'
    )
    severity: 2
    every: 'PT15M'
    window: 'PT1H'
    measure: 'hours'
    dimensions: ['cluster', 'node']
  }
  {
    name: 'settings-wrong'
    title: 'A setting cannot be understood: nothing begins'
    query: loadTextContent('../alerts/settings-wrong.kql')
    severity: 2
    every: 'PT5M'
    window: 'PT10M'
    measure: 'times'
    dimensions: ['setting']
  }
  {
    name: 'owner-lost'
    title: 'A cluster belongs to another scheduler'
    query: loadTextContent('../alerts/owner-lost.kql')
    severity: 2
    every: 'PT15M'
    window: 'PT15M'
    measure: 'lost'
    dimensions: ['cluster']
  }
  {
    name: 'lease-contested'
    title: 'Two schedulers work with one table'
    query: loadTextContent('../alerts/lease-contested.kql')
    severity: 2
    every: 'PT15M'
    window: 'PT30M'
    measure: 'contested'
    dimensions: ['cluster']
  }
  {
    name: 'app-failing'
    title: 'The app itself fails'
    query: loadTextContent('../alerts/app-failing.kql')
    severity: 2
    every: 'PT15M'
    window: 'PT30M'
    measure: 'times'
    dimensions: ['what']
  }
  {
    name: 'sentinel-silent'
    title: 'Sentinels are silent: what their nodes need is not known'
    query: loadTextContent('../alerts/sentinel-silent.kql')
    severity: 3
    every: 'PT15M'
    window: 'PT30M'
    measure: 'silent'
    dimensions: ['cluster']
  }
  {
    name: 'drain-given-up'
    title: 'A node cannot be drained'
    query: replace(
      loadTextContent('../alerts/drain-given-up.kql'),
      'let again = 3;',
      'let again = ${limits.?drainsGivenUp ?? 3};'
    )
    severity: 3
    every: 'PT1H'
    window: 'P2D'
    measure: 'times'
    dimensions: ['cluster', 'node', 'blockedBy']
  }
  {
    name: 'node-waiting-long'
    title: 'A node has waited for its reboot for days'
    query: replace(
      loadTextContent('../alerts/node-waiting-long.kql'),
      'let waitingLimit = 14d;',
      'let waitingLimit = ${limits.?waitingDays ?? 14}d;'
    )
    severity: 3
    every: 'PT1H'
    window: 'PT3H'
    measure: 'days'
    dimensions: ['cluster', 'node']
  }
]

resource alerts 'Microsoft.Insights/scheduledQueryRules@2026-03-01' = [
  for rule in rules: {
    name: 'alert-reboots-${token}-${rule.name}'
    location: location
    tags: tags
    kind: 'LogAlert'
    properties: {
      displayName: 'aks-reboot-scheduler: ${rule.name}'
      description: '${rule.title}. What to do: docs/operations.md, ${rule.name}'
      enabled: true
      severity: rule.severity
      scopes: [workspaceId]
      // The tables come with the first line that is written.
      skipQueryValidation: true
      evaluationFrequency: rule.every
      windowSize: rule.window
      autoMitigate: true
      criteria: {
        allOf: [
          {
            query: replace(rule.query, ofEverybody, ours)
            metricMeasureColumn: rule.measure
            timeAggregation: 'Total'
            operator: 'GreaterThan'
            threshold: 0
            dimensions: map(rule.dimensions, name => { name: name, operator: 'Include', values: ['*'] })
            failingPeriods: {
              numberOfEvaluationPeriods: 1
              minFailingPeriodsToAlert: 1
            }
          }
        ]
      }
      actions: { actionGroups: [actionGroupId] }
    }
  }
]
