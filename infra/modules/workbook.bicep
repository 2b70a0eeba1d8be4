// The fleet, its queue and its history, in Azure Monitor's own pages. Queries are in ../workbook, over the journal.
param location string
param tags object
param token string
param workspaceId string
param componentId string

var title = 'Reboots of AKS nodes'
// A workspace may hold what others write: only the lines of this scheduler count.
var ofEverybody = 'let component = "";'
var ours = 'let component = "${componentId}";'

var tables = [
  { name: 'fleet', title: 'The fleet, as last told', query: loadTextContent('../workbook/fleet.kql'), chart: 'table' }
  { name: 'in-flight', title: 'In flight', query: loadTextContent('../workbook/in-flight.kql'), chart: 'table' }
  {
    name: 'queue'
    title: 'The queue, longest waiting first'
    query: loadTextContent('../workbook/queue.kql')
    chart: 'table'
  }
  {
    name: 'ends'
    title: 'Reboots by how they ended'
    query: loadTextContent('../workbook/ends.kql')
    chart: 'barchart'
  }
  {
    name: 'durations'
    title: 'Durations of reboots, by pool'
    query: loadTextContent('../workbook/durations.kql')
    chart: 'table'
  }
  { name: 'history', title: 'History', query: loadTextContent('../workbook/history.kql'), chart: 'table' }
  { name: 'failures', title: 'What went wrong', query: loadTextContent('../workbook/failures.kql'), chart: 'table' }
]

// https://learn.microsoft.com/azure/azure-monitor/visualize/workbooks-automate; 0: logs, 4: a time range, 2: a choice.
var logs = {
  queryType: 0
  resourceType: 'microsoft.operationalinsights/workspaces'
  crossComponentResources: [workspaceId]
}
var dayMs = 86400000
var parameters = [
  {
    id: guid(title, 'TimeRange')
    name: 'TimeRange'
    label: 'Time'
    type: 4
    isRequired: true
    value: { durationMs: 7 * dayMs }
    typeSettings: { selectableValues: map([1, 2, 7, 14, 30], days => { durationMs: days * dayMs }) }
  }
  union(logs, {
    id: guid(title, 'Cluster')
    name: 'Cluster'
    label: 'Clusters'
    type: 2
    isRequired: true
    multiSelect: true
    quote: '\''
    delimiter: ','
    query: replace(loadTextContent('../workbook/clusters.kql'), ofEverybody, ours)
    timeContextFromParameter: 'TimeRange'
    typeSettings: { additionalResourceOptions: ['value::all'], selectAllValue: '*' }
    value: ['value::all']
  })
]
var chosen = {
  type: 9
  name: 'parameters'
  content: union(logs, { version: 'KqlParameterItem/1.0', style: 'pills', parameters: parameters })
}
var items = [
  for each in tables: {
    type: 3
    name: each.name
    content: union(logs, {
      version: 'KqlItem/1.0'
      title: each.title
      query: replace(each.query, ofEverybody, ours)
      size: 0
      showExportToExcel: true
      timeContextFromParameter: 'TimeRange'
      visualization: each.chart
    })
  }
]

resource workbook 'Microsoft.Insights/workbooks@2023-06-01' = {
  name: guid('aks-reboot-scheduler', token)
  location: location
  tags: tags
  kind: 'shared'
  properties: {
    category: 'workbook'
    displayName: title
    sourceId: workspaceId
    serializedData: string({
      version: 'Notebook/1.0'
      items: concat([chosen], items)
      fallbackResourceIds: [workspaceId]
    })
  }
}
